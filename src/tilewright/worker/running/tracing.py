"""When did the kernels of each timed call run, by the device's own record of them?

Two events around a call read about 3 us more than its kernels take: until the first one starts, and after the last.
Those differ from process to process by several percent of a short kernel, whatever the kernel is. CUPTI's times of
the kernels themselves don't; asked through PyTorch's profiler, it adds less than a hundredth to what it looks at
(gaps between the kernels of one forward included; an H200, torch 2.11).

What a block did on the device is one sequence: for each call what was put in place for it, what forward launched,
and the copies of its outputs. Where something else is found, nothing is said, and the events have to do.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.autograd import DeviceType


@dataclass(frozen=True)
class Piece:
    """A kernel, a copy or a fill on the device; times in nanoseconds from some common point."""

    name: str
    start_ns: int
    end_ns: int


class Tracer:
    """Of one process; watches a block at a time."""

    def __init__(self) -> None:
        self._profiler: Any = None

    def start(self) -> None:
        """Where CUPTI can't be had, nothing is seen."""
        self.stop()  # of a block that came to nothing
        torch.cuda.synchronize()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._profiler = torch.profiler.profile(
                activities=[torch.profiler.ProfilerActivity.CUDA], acc_events=True
            )
        try:
            self._profiler.start()
        except RuntimeError:
            self._profiler = None

    def stop(self) -> list[Piece]:
        """The device is done. What ran on it, in the order in which it began."""
        profiler, self._profiler = self._profiler, None
        if profiler is None:
            return []
        profiler.stop()
        found = [
            Piece(event.name(), event.start_ns(), event.end_ns())
            for event in profiler.profiler.kineto_results.events()
            if event.device_type() == DeviceType.CUDA and not event.is_user_annotation()
        ]
        return sorted(found, key=lambda piece: piece.start_ns)


def spans_ms(pieces: Sequence[Piece], before: Sequence[int], after: Sequence[int], flushed: int) -> list[float]:
    """Of each call from the start of its first kernel to the end of its last, in ms; [] where that can't be told.

    `before` is how many pieces each call begins with, the last of which is the flush of that many bytes; `after` is
    how many copies of outputs follow its kernels. All calls launch equally many.
    """
    calls = len(before)
    own, rest = divmod(len(pieces) - sum(before) - sum(after), max(calls, 1))
    if calls == 0 or own < 1 or rest:
        return []
    spans, flushes, place = [], [], 0
    for ahead, behind in zip(before, after):
        place += ahead
        flushes.append(pieces[place - 1])
        mine = pieces[place : place + own]
        spans.append((max(piece.end_ns for piece in mine) - mine[0].start_ns) / 1e6)
        place += own + behind
    shortest_ns = min(piece.end_ns - piece.start_ns for piece in flushes)
    one_kind = len({piece.name for piece in flushes}) == 1
    return spans if one_kind and shortest_ns > flushed / _MOST_BYTES_PER_NS else []


_MOST_BYTES_PER_NS = 16_000
"""No GPU writes as fast: what takes less is no flush but something small in its place."""
