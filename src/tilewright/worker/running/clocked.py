"""How is a candidate called while it is timed?

The inputs of each call are new, and come through a tray: on a GPU behind the gate, after everything was enqueued.
They are put into tensors that are used again and again, a few of them in an order that the verifier draws, so that no
call can be told by its addresses; what it returned is copied into the tray of outputs before the next call begins.
How long a kernel takes depends by several percent on where in the device's memory its inputs and outputs lie, and for
one of a few microseconds on how many launches there were before it. None of that is the kernel's merit, so all of it
is drawn by the verifier: every few blocks of calls how much other memory lies between the places, and for each call
the place, how many earlier outputs are still held, how many launches of next to nothing lie between.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import torch

from tilewright.worker.exchange.devicetray import DeviceTray
from tilewright.worker.exchange.gate import Hold
from tilewright.worker.exchange.tray import Slot, Tray, laid_out
from tilewright.worker.exchange.wire import Header
from tilewright.worker.running.building import Forward
from tilewright.worker.running.returned import no_plain_tensors, tensors_in
from tilewright.worker.running.stopwatch import CpuStopwatch, CudaStopwatch
from tilewright.worker.running.tracing import Tracer, spans_ms

AnyTray = Tray | DeviceTray
_FLOOR_CALLS = 20


class Clocked:
    """A constructed candidate, and where its timed calls find their inputs and leave their outputs.

    Inputs of call i lie `input_stride` * i bytes after those of call 0, whose `slots` are given; outputs likewise.
    """

    def __init__(
        self, forward: Forward, device: str, request: Header, trays: dict[str, AnyTray], hold: Hold | None
    ) -> None:
        self._forward = forward
        self._slots = [Slot.from_plain(plain) for plain in request["slots"]]
        self._input_stride, self._output_stride = request["input_stride"], request["output_stride"]
        self._inputs, self._outputs = trays["inputs"], trays["outputs"]
        self._device = device
        self._places: list[list[torch.Tensor]] = []
        self._between: list[torch.Tensor] = []
        self._spacer = torch.zeros(16, device="cuda") if device == "cuda" else None
        self._hold = hold
        if hold is not None:
            for tray in (self._inputs, self._outputs):
                if isinstance(tray, Tray):
                    tray.pin()
        self._stopwatch: CpuStopwatch | CudaStopwatch = CudaStopwatch() if device == "cuda" else CpuStopwatch()
        self._held: deque[Any] = deque()
        self._tracer = Tracer()
        self._turns: list[_Turn] = []
        self._request: Header = {}

    def enqueue(self, request: Header) -> Header:
        """Make everything ready for a block. Where it is gated, all calls are enqueued and nothing has begun."""
        self._request = request
        if request["gaps"]:
            self._move(request["gaps"])
        drawn = zip(request["places"], request["held"], request["spacing"])
        self._turns = [_Turn(self, call, *numbers) for call, numbers in enumerate(drawn)]
        if request["gated"]:
            assert isinstance(self._stopwatch, CudaStopwatch) and self._hold is not None
            hold = self._hold
            self._tracer.start()
            self._stopwatch.enqueue(self._plain_outputs, self._turns, lambda: hold.until(request["round"]))
        return {}

    def finish(self) -> Header:
        """Times in ms of the block's calls, and what each returned: shapes, dtypes and places in the tray."""
        return {"ms": self._times(), "calls": [turn.described for turn in self._turns]}

    def record(self) -> Header:
        """Times in ms of the gated block's calls by the device's record; none where it has none."""
        assert isinstance(self._stopwatch, CudaStopwatch)
        pieces, turns = self._tracer.stop(), self._turns
        before, after = [turn.before for turn in turns], [turn.after for turn in turns]
        return {"spans": spans_ms(pieces, before, after, self._stopwatch.flushed)}

    def floor_us(self) -> float:
        """The least that events read for a kernel that does next to nothing."""
        if isinstance(self._stopwatch, CpuStopwatch):
            return 0.0
        few = torch.zeros(16, device="cuda")
        self._stopwatch.enqueue(lambda: few.zero_(), [_Nothing()] * _FLOOR_CALLS, hold=lambda: None)
        return 1e3 * min(self._stopwatch.finish())

    def _move(self, gaps: Sequence[int]) -> None:
        """New places for inputs, so many bytes of other memory before each; what comes next lies elsewhere, too."""
        self._held.clear()
        self._places.clear()
        self._between.clear()
        if self._device == "cuda":
            torch.cuda.empty_cache()
        for gap in gaps:
            self._between.append(torch.empty(gap, dtype=torch.uint8, device=self._device))
            self._places.append([torch.empty(s.shape, dtype=s.dtype, device=self._device) for s in self._slots])

    def _times(self) -> list[float]:
        watch = self._stopwatch
        if isinstance(watch, CpuStopwatch):
            return watch.run(self._plain_outputs, self._turns)
        if self._request["gated"]:
            return watch.finish()
        if self._request["clock"] == "latency":
            return watch.latencies(self._plain_outputs, self._turns)
        return watch.run(self._plain_outputs, self._turns)

    def put(self, call: int, place: int, held: int, spacing: int) -> Sequence[torch.Tensor]:
        tensors = self._places[place]
        while len(self._held) > held:
            self._held.popleft()
        for tensor, slot in zip(tensors, self._slots):
            moved = Slot(slot.shape, slot.dtype, slot.offset + call * self._input_stride)
            tensor.copy_(self._inputs.view(moved), non_blocking=True)
        if self._spacer is not None:
            for _ in range(spacing):
                self._spacer.zero_()
        return tensors

    def keep(self, call: int, output: Any) -> tuple[list[Any], int]:
        """What was returned, described, and how many copies of it were launched."""
        tensors = tensors_in(output)
        slots, size = laid_out([(tuple(tensor.shape), tensor.dtype) for tensor in tensors])
        kept = list(zip(tensors, slots)) if size <= self._output_stride else []
        for tensor, slot in kept:
            moved = Slot(slot.shape, slot.dtype, slot.offset + call * self._output_stride)
            self._outputs.view(moved).copy_(tensor, non_blocking=True)
        self._held.append(tensors)
        return [slot.plain() for slot in slots], sum(tensor.numel() > 0 for tensor, _ in kept)

    def _plain_outputs(self, *inputs: torch.Tensor) -> Any:
        """What would only be computed as it is copied, after the clock was read, is no output."""
        output = self._forward(*inputs)
        refused = no_plain_tensors(tensors_in(output))
        if refused:
            raise TypeError(f"{refused}; in a timed call")
        return output


class _Nothing:
    def put(self) -> Sequence[torch.Tensor]:
        return ()

    def keep(self, output: Any) -> None:
        pass


class _Turn:
    def __init__(self, clocked: Clocked, call: int, place: int, held: int, spacing: int) -> None:
        self._clocked, self._call, self._place, self._held, self._spacing = clocked, call, place, held, spacing
        self.described: list[Any] = []
        self.before = self.after = 0
        """Pieces of work on the device that this call begins and ends with, beside what forward launches."""

    def put(self) -> Sequence[torch.Tensor]:
        inputs = self._clocked.put(self._call, self._place, self._held, self._spacing)
        self.before = sum(tensor.numel() > 0 for tensor in inputs) + self._spacing + 1  # the flush comes last
        return inputs

    def keep(self, output: Any) -> None:
        self.described, self.after = self._clocked.keep(self._call, output)
