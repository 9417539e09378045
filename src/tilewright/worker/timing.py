"""How many times faster than the baseline is a candidate, and how sure is that?

Candidate and baseline run in two processes that take turns: blocks of a few calls, the order swapped each time. A
pair is the i-th call of two neighbouring blocks. Every timed call's output is kept on the device; which of them are
fetched and compared is drawn after the block has run. The times are the candidate's own word, which the wall clock
here checks against what a block can have taken.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from tilewright.records import Crashed, Effort
from tilewright.worker import intervals, wire
from tilewright.worker.expected import Expected
from tilewright.worker.processes import Deadline, Ended, Runner
from tilewright.worker.tray import Slot, laid_out
from tilewright.worker.verifier import Trial


@dataclass(frozen=True)
class Plan:
    """When to stop: at least and at most so many pairs, half an interval so wide (relative), so many seconds."""

    least: int
    most: int
    half_width: float
    seconds: float
    block: int = 10


PLANS: dict[Effort, Plan] = {
    "quick": Plan(10, 20, 0.02, 3.0, block=5),
    "full": Plan(30, 100, 0.01, 8.0),
    "confirm": Plan(100, 200, 0.005, 15.0),
}
CPU_PLANS: dict[Effort, Plan] = {
    "quick": Plan(4, 10, 0.05, 0.3, block=2),
    "full": Plan(10, 40, 0.02, 1.5, block=5),
    "confirm": Plan(20, 100, 0.01, 4.0, block=5),
}

_WARM_UP = 3
_EARLY_PAIRS = 10
_EARLY_MARGIN = 0.02
_KEPT_BYTES = 2 << 30
"""Outputs of a block that are kept on the device."""
_SMALL_BYTES = 4 << 20
_FETCHED_SHARE = 0.2


@dataclass
class Timing:
    pairs: list[tuple[float, float]] = field(default_factory=list)
    ratio: float = 0.0
    low: float = 0.0
    high: float = 0.0
    stopped_early: bool = False
    ran_dry: float = 0.0
    """Share of the candidate's calls in which the host could not keep the queue full."""
    suspicion: str = ""
    """What doesn't fit the wall clock."""


def timed(
    trial: Trial,
    baseline: Runner,
    sets: Sequence[tuple[list[torch.Tensor], Expected]],
    plan: Plan,
    deadline: Deadline,
    stop_below: float | None,
) -> Timing:
    """Both processes are constructed and warm. Raises `Ended` where an output of a timed call is wrong.

    `stop_below`: where the interval's high end lies clearly under it after 10 pairs, more pairs are not taken.
    """
    sides = _Side(trial.runner, deadline), _Side(baseline, deadline)
    for side in sides:
        side.hand_over([given for given, _ in sets], sets[0][1])
    chooser = random.Random(secrets.randbits(64))
    timing, end = Timing(), time.monotonic() + min(plan.seconds, 0.8 * deadline.left())
    # The first round warms up (clocks, caches, the length of the wait) and tells how many calls make a block.
    _take_turns(trial, sides, sets, _order(_WARM_UP, len(sets), chooser), chooser, swapped=False, record=False)
    block = _block_size(plan, sides, sets[0][1])
    swapped = False
    while not _enough(timing, plan, end):
        swapped = not swapped
        _take_turns(trial, sides, sets, _order(block, len(sets), chooser), chooser, swapped, record=True)
        timing.pairs = list(zip(sides[0].ms, sides[1].ms))
        timing.ratio, timing.low, timing.high = intervals.median_interval([b / c for c, b in timing.pairs])
        if stop_below is not None and len(timing.pairs) >= _EARLY_PAIRS:
            timing.stopped_early = timing.high < (1 - _EARLY_MARGIN) * stop_below
            if timing.stopped_early:
                break
    timing.ran_dry = sides[0].ran_dry / max(1, len(sides[0].ms))
    timing.suspicion = _suspicion(*sides)
    return timing


class _Side:
    """Candidate or baseline while it is timed: its times, and what the wall clock here says of them."""

    def __init__(self, runner: Runner, deadline: Deadline) -> None:
        self.runner = runner
        self._deadline = deadline
        self.ms: list[float] = []
        self.ran_dry = 0
        self.wall_ms = 0.0
        self.lead_ms = 0.0
        self.calls = 0
        self.last_call_ms = 0.0
        """Wall time of a call in the last block, all around it included."""

    def hand_over(self, sets: Sequence[Sequence[torch.Tensor]], expected: Expected) -> None:
        slots, size = laid_out([(tensor.shape, tensor.dtype) for given in sets for tensor in given])
        self.runner.trays(self._deadline, inputs=size)
        for slot, tensor in zip(slots, [tensor for given in sets for tensor in given]):
            self.runner.tray("inputs").write(slot, tensor)
        plain, count = [slot.plain() for slot in slots], len(sets[0])
        parts = [plain[i : i + count] for i in range(0, len(plain), count)] if count else [[] for _ in sets]
        self.runner.ask({"op": "sets", "sets": parts}, self._deadline)

    def run(self, order: Sequence[int], record: bool) -> None:
        start = time.perf_counter()
        header = self.runner.ask({"op": "time", "order": list(order)}, self._deadline)
        wall_ms = (time.perf_counter() - start) * 1e3
        try:
            ms = wire.numbers(header, "ms", float, len(order))
            ran_dry, lead_ms = wire.field(header, "ran_dry", int), wire.field(header, "lead_ms", float)
            if len(ms) != len(order) or not all(0 < value <= wall_ms for value in ms) or sum(ms) > wall_ms:
                raise wire.BadFrame("times that the wall clock does not allow")
        except wire.BadFrame as error:
            raise Ended(Crashed(f"wrote to the evaluator's channel: {error}")) from None
        self.last_call_ms = wall_ms / len(order)
        if record:
            self.ms += ms
            self.ran_dry += ran_dry
            self.wall_ms += wall_ms
            self.lead_ms += lead_ms * len(order)
            self.calls += len(order)

    @property
    def claimed_ms(self) -> float:
        """Per call."""
        return sum(self.ms) / max(1, self.calls)

    @property
    def unexplained_ms(self) -> float:
        """Wall time per call that is neither the claimed time nor the wait before it."""
        return (self.wall_ms - self.lead_ms) / max(1, self.calls) - self.claimed_ms


def _take_turns(
    trial: Trial,
    sides: tuple[_Side, _Side],
    sets: Sequence[tuple[list[torch.Tensor], Expected]],
    order: Sequence[int],
    chooser: random.Random,
    swapped: bool,
    record: bool,
) -> None:
    """A block of the candidate and one of the baseline, then the candidate's outputs."""
    for side in reversed(sides) if swapped else sides:
        side.run(order, record)
    _check_outputs(trial, sides[0], sets, order, chooser)


def _check_outputs(
    trial: Trial,
    side: _Side,
    sets: Sequence[tuple[list[torch.Tensor], Expected]],
    order: Sequence[int],
    chooser: random.Random,
) -> None:
    """Fetch and compare outputs of the block that just ran: all where they are small, else a random fifth."""
    shapes = sets[0][1].shapes
    slots, size = laid_out(shapes)
    count = len(order) if size <= _SMALL_BYTES else max(1, round(_FETCHED_SHARE * len(order)))
    calls = sorted(chooser.sample(range(len(order)), count))
    side.runner.trays(trial.deadline, outputs=size * count)
    header = side.runner.ask({"op": "fetch", "calls": calls}, trial.deadline)
    described = header.get("calls")
    if not isinstance(described, list) or len(described) != count:
        raise Ended(Crashed("wrote to the evaluator's channel: outputs of other calls than were asked for"))
    for place, call in enumerate(calls):
        expected = sets[order[call]][1]
        trial.judge_shapes(described[place], expected)
        moved = [Slot(slot.shape, slot.dtype, slot.offset + place * size) for slot in slots]
        tray = side.runner.tray("outputs")
        outputs = [tray.read(slot, trial.reference.device) for slot in moved]
        trial.judge(outputs, expected, where="; in a timed call")


def _order(block: int, sets: int, chooser: random.Random) -> list[int]:
    """Which set each call of a block takes: all of them in turn, in an order that can't be foreseen."""
    order: list[int] = []
    while len(order) < block:
        turn = list(range(sets))
        chooser.shuffle(turn)
        order += turn
    return order[:block]


def _block_size(plan: Plan, sides: tuple[_Side, _Side], expected: Expected) -> int:
    """So that at least four rounds fit into the time, and the outputs of a block into memory."""
    _, size = laid_out(expected.shapes)
    pair_ms = sum(side.last_call_ms for side in sides)
    return max(2, min(plan.block, _KEPT_BYTES // max(1, size), int(plan.seconds * 1e3 / 4 / pair_ms)))


def _enough(timing: Timing, plan: Plan, end: float) -> bool:
    count = len(timing.pairs)
    if count >= plan.most or (count and time.monotonic() > end):
        return True
    return count >= plan.least and (timing.high - timing.low) / 2 <= plan.half_width * timing.ratio


def _suspicion(candidate: _Side, baseline: _Side) -> str:
    """Whether more time went by in the candidate's blocks than its claimed times and the baseline's overhead explain.

    The factor two and the 0.3 ms leave room for noise: this catches a clock that lies, not one that flatters.
    """
    seen = candidate.claimed_ms + candidate.unexplained_ms - max(0.0, baseline.unexplained_ms)
    if candidate.claimed_ms >= seen / 2 - 0.3:
        return ""
    said = f"the candidate's process says {candidate.claimed_ms:.3g} ms"
    return f"the evaluator's clock saw {seen:.3g} ms a call, {said}"
