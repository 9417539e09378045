"""When did the kernels of each timed call run, by the device's own record of them?

Two events around a call read about 3 us more than its kernels take: until the first one starts, and after the last.
Those differ from process to process by several percent of a short kernel, whatever the kernel is. CUPTI's times of
the kernels themselves don't; asking for them adds about a hundredth to what is looked at, gaps between the kernels
of one forward included (an H200, torch 2.11).

What a block did on the device is one sequence: for each call what was put in place for it, what forward launched,
and the copies of its outputs. Where something else is found, nothing is said, and the events have to do.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import torch

from tilewright.worker.running.cupti import Activities, Piece, Unavailable, of_this_process


class Tracer:
    """Watches a block at a time. Where CUPTI can't be had, nothing is seen."""

    def __init__(self) -> None:
        self._watching: Activities | None = None

    def start(self) -> None:
        self.stop()  # of a block that came to nothing
        torch.cuda.synchronize()
        with contextlib.suppress(Unavailable):
            activities = of_this_process()
            activities.begin()
            self._watching = activities

    def stop(self) -> list[Piece]:
        """The device is done. What ran on it, in the order in which it began."""
        watching, self._watching = self._watching, None
        with contextlib.suppress(Unavailable):
            return watching.end() if watching else []
        return []


def spans_ms(pieces: Sequence[Piece], before: Sequence[int], after: Sequence[int], flushed: int) -> list[float]:
    """Of each call from the start of its first kernel to the end of its last, in ms; [] where that can't be told.

    `before` is how many pieces each call begins with, the last of which is the flush of that many bytes; `after` is
    how many copies of outputs follow its kernels. All calls launch equally many.
    """
    calls = len(before)
    own, rest = divmod(len(pieces) - sum(before) - sum(after), max(calls, 1))
    if calls == 0 or own < 1 or rest:
        return []
    spans, place = [], 0
    for ahead, behind in zip(before, after):
        place += ahead
        flush = pieces[place - 1]
        if flush.end_ns - flush.start_ns < flushed / _MOST_BYTES_PER_NS:
            return []
        mine = pieces[place : place + own]
        spans.append((max(piece.end_ns for piece in mine) - mine[0].start_ns) / 1e6)
        place += own + behind
    return spans


_MOST_BYTES_PER_NS = 16_000
"""No GPU writes as fast: what takes less is no flush but something small in its place."""
