"""A process that is timed: the candidate's, or a baseline's. What the clock here says of it beside its own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch

from tilewright.records import Clock, Crashed
from tilewright.worker.exchange import wire
from tilewright.worker.exchange.tray import Slot, laid_out
from tilewright.worker.exchange.wire import Header
from tilewright.worker.processes.nursery import Deadline, Ended, Runner
from tilewright.worker.verifying.expected import Expected

_PLACES = (2, 16)
"""Sets of tensors that the inputs of timed calls are put into, in an order drawn here: at least and at most."""
_PLACES_BYTES = 64 << 20
"""More places than the least take no more than this."""
_HELD = 8
_HELD_BYTES = 64 << 20
SPACING = 8
"""Before each timed call lie less than so many small launches, drawn here: see `running.clocked`."""


class GateRefused(Exception):
    """The host waits for the device within these calls, so that they can't all be enqueued before it begins."""


@dataclass(frozen=True)
class Draws:
    """What is drawn for a block: bytes of other memory before each place that inputs are put into, or nothing where
    the places stay; and for each call its place, how many of the outputs before its own are still held, how many
    small launches lie before it."""

    gaps: list[int]
    places: list[int]
    held: list[int]
    spacing: list[int]


@dataclass(frozen=True)
class Ran:
    """A block of calls: each one's time by the process's own clock, and all of it by the clock here, in ms.

    `ms` are by events, or the host's clock on a CPU; `spans` by the device's record of the kernels, all or none."""

    ms: list[float]
    wall_ms: float
    gated: bool
    described: list[object]
    """Of each call its outputs as the process describes them: lists of shape, dtype and offset."""
    spans: list[float] = field(default_factory=list)


class Side:
    """A constructed process with trays for blocks of at most `calls` calls.

    `given` and `expected` are an example of one call's inputs and outputs.
    """

    def __init__(
        self,
        name: str,
        runner: Runner,
        deadline: Deadline,
        given: Sequence[torch.Tensor],
        expected: Expected,
        calls: int,
    ) -> None:
        self.name = name
        self.runner = runner
        self._deadline = deadline
        self._slots, self._input_stride = laid_out([(tensor.shape, tensor.dtype) for tensor in given])
        self._output_slots, self._output_stride = laid_out(expected.shapes)
        runner.trays(deadline, inputs=self._input_stride * calls, outputs=self._output_stride * calls)
        self._gate = runner.gate(deadline)
        self.gated = self._gate is not None
        self._recording = False
        self.places = max(_PLACES[0], min(_PLACES[1], _PLACES_BYTES // max(1, self._input_stride)))
        self.held = min(_HELD, _HELD_BYTES // max(1, self._output_stride))
        self.blocks = 0
        """That it has run, since it was constructed."""
        self.restart()

    def restart(self) -> None:
        """Once more from the beginning, with the module that the process holds now."""
        self.settle()
        self.blocks = 0
        request: Header = {
            "op": "clock",
            "slots": [slot.plain() for slot in self._slots],
            "input_stride": self._input_stride,
            "output_stride": self._output_stride,
        }
        self.runner.ask(request, self._deadline)

    def run(
        self,
        givens: Sequence[Sequence[torch.Tensor]],
        clock: Clock,
        draws: Draws,
        gated: bool,
        patience_s: float = 0.0,
    ) -> Ran:
        """A block, one call for each of `givens`. Raises `GateRefused` where not all of a gated one are enqueued
        within `patience_s`; it then counts for nothing."""
        gated = gated and self.gated and clock == "device"
        self.blocks += 1
        number = self._gate.next_round if gated and self._gate else 0
        request: Header = {"op": "enqueue", "clock": clock, "gated": gated, "round": number}
        request |= {"gaps": draws.gaps, "places": draws.places, "held": draws.held, "spacing": draws.spacing}
        self.runner.post(request)
        refused = gated and not self.runner.answers_within(patience_s)
        if not refused:
            self.runner.answer(self._deadline)
        self._put(givens)  # not before everything else is ready: nothing can be computed ahead
        if refused and self._gate:
            self._gate.open()
            self.runner.answer(self._deadline)
            self.runner.ask({"op": "finish"}, self._deadline)
            raise GateRefused
        start = time.perf_counter()
        self.runner.post({"op": "finish"})
        if gated and self._gate:
            start = time.perf_counter()
            self._gate.open()
        header = self.runner.answer(self._deadline)
        wall_ms = (time.perf_counter() - start) * 1e3
        if gated:
            self.runner.post({"op": "record"})  # it reads its record while others have their turns
            self._recording = True
        return self._checked(header, len(givens), wall_ms, gated)

    def recorded(self, ran: Ran) -> Ran:
        """The last block with its spans, where there are any."""
        spans = self.settle(len(ran.ms))
        if len(spans) != len(ran.ms) or not all(0 < span <= time for span, time in zip(spans, ran.ms)):
            return ran
        return replace(ran, spans=spans)

    def settle(self, calls: int = 0) -> list[float]:
        """Take the answer that is still to come, if one is."""
        if not self._recording:
            return []
        self._recording = False
        header = self.runner.answer(self._deadline)
        try:
            return wire.numbers(header, "spans", float, calls) if calls else []
        except wire.BadFrame as error:
            raise Ended(Crashed(f"wrote to the evaluator's channel: {error}")) from None

    def launch_floor_us(self) -> float:
        """What its clock reads for a kernel of 16 numbers, in a process whose word can be taken; 0 on a CPU."""
        return wire.field(self.runner.ask({"op": "floor"}, self._deadline), "us", float)

    def outputs(self, calls: int, device: str) -> list[torch.Tensor]:
        """Of each output what the first so many calls of the last block left, one after the other: copies."""
        whole = Slot((calls, self._output_stride), torch.uint8, 0)
        rows = self.runner.tray("outputs").read(whole, device)
        return [
            rows[:, slot.offset : slot.offset + slot.bytes].contiguous().view(slot.dtype).reshape(calls, *slot.shape)
            for slot in self._output_slots
        ]

    def _put(self, givens: Sequence[Sequence[torch.Tensor]]) -> None:
        tray = self.runner.tray("inputs")
        for call, given in enumerate(givens):
            for slot, tensor in zip(self._slots, given):
                moved = Slot(slot.shape, slot.dtype, slot.offset + call * self._input_stride)
                tray.view(moved).copy_(tensor)
        if torch.cuda.is_initialized():
            torch.cuda.current_stream().synchronize()

    def _checked(self, header: Header, calls: int, wall_ms: float, gated: bool) -> Ran:
        try:
            ms = wire.numbers(header, "ms", float, calls)
            described = wire.field(header, "calls", list)
            if len(ms) != calls or not all(0 < value <= wall_ms for value in ms) or sum(ms) > wall_ms:
                raise wire.BadFrame("times that the wall clock does not allow")
            if len(described) != calls:
                raise wire.BadFrame("outputs of other calls than were asked for")
        except wire.BadFrame as error:
            raise Ended(Crashed(f"wrote to the evaluator's channel: {error}")) from None
        return Ran(ms, wall_ms, gated, described)
