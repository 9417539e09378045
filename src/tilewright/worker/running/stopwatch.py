"""How long does one forward take?

By the device's clock: the span from the first to the last kernel, between two events. All calls of a block are
enqueued before the device may begin (`gate`), so that no gap of the host lies in it. Where a forward waits for the
device itself, that can't be: then its gaps count.
By the latency clock: from the call on an idle stream until the device has nothing left to do, by the host's clock.
On a CPU both are the host's clock around the call.

Before each call on a GPU its inputs are put in place, and the L2 cache is overwritten with twice its size. In this
order, and behind the gate: what works on another stream and waits for nothing finds the inputs of an earlier call.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch

from tilewright.worker.exchange import driver
from tilewright.worker.running.building import Forward


class Turn(Protocol):
    """One call: `put` its inputs in place (on the current stream), `keep` what it returned (there, too)."""

    def put(self) -> Sequence[torch.Tensor]: ...

    def keep(self, output: Any) -> None: ...


class CpuStopwatch:
    def run(self, forward: Forward, turns: Sequence[Turn]) -> list[float]:
        """Times in ms, as all methods of both stopwatches that return any."""
        ms = []
        for turn in turns:
            given = turn.put()
            start = time.perf_counter()
            output = forward(*given)
            ms.append((time.perf_counter() - start) * 1e3)
            turn.keep(output)
        return ms


class CudaStopwatch:
    def __init__(self) -> None:
        properties = torch.cuda.get_device_properties(torch.cuda.current_device())
        self.flushed = 2 * properties.L2_cache_size
        """Bytes overwritten before each call."""
        self._flush = torch.empty(self.flushed, dtype=torch.uint8, device="cuda")
        self._events: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []

    def enqueue(self, forward: Forward, turns: Sequence[Turn], hold: Callable[[], None]) -> None:
        """Everything, behind `hold`; nothing waits for the device. `finish` gives the times."""
        self._events = []
        driver.forget_persisting_lines()  # a forward that asks for some again waits for the device
        hold()
        for turn in turns:
            self._call(forward, turn)

    def finish(self) -> list[float]:
        torch.cuda.synchronize()
        return [start.elapsed_time(end) for start, end in self._events]

    def run(self, forward: Forward, turns: Sequence[Turn]) -> list[float]:
        """Without a gate: the host's gaps count."""
        self._events = []
        for turn in turns:
            driver.forget_persisting_lines()
            self._call(forward, turn)
        return self.finish()

    def latencies(self, forward: Forward, turns: Sequence[Turn]) -> list[float]:
        ms = []
        for turn in turns:
            driver.drop_access_policy()
            given = turn.put()
            self._flush.zero_()
            driver.forget_persisting_lines()
            torch.cuda.synchronize()
            start = time.perf_counter()
            output = forward(*given)
            torch.cuda.synchronize()
            ms.append((time.perf_counter() - start) * 1e3)
            turn.keep(output)
        torch.cuda.synchronize()
        return ms

    def _call(self, forward: Forward, turn: Turn) -> None:
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        driver.drop_access_policy()
        given = turn.put()
        self._flush.zero_()
        start.record()
        output = forward(*given)
        end.record()
        turn.keep(output)
        self._events.append((start, end))
