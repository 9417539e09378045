"""How many times faster than each baseline is a candidate, and how sure is that?

Candidate and baselines run in processes of their own that take turns: blocks of a few calls on the same new inputs,
the order swapped each time. A pair is the i-th call of two blocks of a round; or, of short ones, the i-th mean of a
few: how long one of them takes has several modes a few percent apart (an H200, 14 us: 14.3, 14.9 and 15.2), and the
median of single calls jumps from one to another. Every output of the candidate's timed calls is compared. The times
are its process's own word; the clock here, which runs from the moment in which the inputs are there until the last
output is, audits them.

Where tensors lie in the device's memory is worth a percent or two, and is nobody's merit: every few blocks inputs are
moved, and now and then candidate and baselines are constructed anew, somewhere else.

The device's clock is its record of the kernels where all rounds have one that agrees with the events around the
calls, and those events otherwise.
"""

from __future__ import annotations

import random
import secrets
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch

from tilewright.records import Clock, Effort
from tilewright.worker.exchange.tray import laid_out
from tilewright.worker.processes.nursery import Deadline, Runner
from tilewright.worker.timing import gpu, intervals
from tilewright.worker.timing.baselines import COMPILED, EAGER
from tilewright.worker.timing.sides import SPACING, Draws, GateRefused, Ran, Side
from tilewright.worker.timing.timedoutputs import OutputCheck
from tilewright.worker.verifying.expected import Expected
from tilewright.worker.verifying.verifier import Trial


@dataclass(frozen=True)
class Plan:
    """When to stop: at least and at most so many pairs, half an interval so wide (relative), so many seconds.

    `block` is how many calls are timed in one go, `most_block` where they are short: the evaluator's own clock is as
    exact as a block is long. `latencies` is how many pairs the latency clock gets, `calls_a_pair` how many short
    calls the device's clock takes the mean of, `rebuilt_after` the pairs after which all are constructed anew; 0 for
    never.
    """

    least: int
    most: int
    half_width: float
    least_seconds: float
    seconds: float
    block: int = 10
    most_block: int = 10
    latencies: int = 0
    calls_a_pair: int = 1
    rebuilt_after: int = 0


PLANS: dict[Effort, Plan] = {
    "quick": Plan(10, 20, 0.02, 0.0, 3.0, block=5, most_block=50, calls_a_pair=5),
    "full": Plan(100, 2000, 0.005, 0.5, 15.0, most_block=100, latencies=30, calls_a_pair=20, rebuilt_after=20),
    "confirm": Plan(100, 2000, 0.005, 0.5, 15.0, most_block=100, latencies=30, calls_a_pair=20, rebuilt_after=20),
}
CPU_PLANS: dict[Effort, Plan] = {
    "quick": Plan(4, 10, 0.05, 0.0, 0.3, block=2, most_block=2),
    "full": Plan(10, 40, 0.02, 0.0, 1.5, block=5, most_block=5),
    "confirm": Plan(20, 100, 0.01, 0.0, 4.0, block=5, most_block=5, rebuilt_after=10),
}

_WARM_UP = 3
_EARLY_PAIRS = 5
_EARLY_MARGIN = 0.02
_BLOCK_MS = 5.0
"""Blocks of short calls are about this long."""
_BLOCK_BYTES = 2 << 30
"""Inputs and outputs of a block, at most (and of a side: the candidate's and each baseline's)."""
_PAIR_MS = 0.3
"""Calls as long as this are paired one by one."""
_MOST_REBUILT = 12
_REBUILDING_SHARE = 0.5
"""Of the time taken, at most, until nothing is constructed anew any more."""
_BESIDE_MS = 1.5e-3
_BESIDE_SHARE = 0.05
"""Events may read this much more beside a forward's kernels than beside the reference's: it may start slower."""
_GAP_STEP, _MOST_GAP = 512, 8 << 20
"""Bytes of other memory before a place."""
_BLOCKS_IN_PLACE = 4
"""Whoever knows its inputs by their addresses must be able to meet them again."""
_REBUILD_GAPS = 4
_MOST_DROPPED = 20
"""Rounds dropped because the GPU was throttled."""


@dataclass
class Series:
    """Pairs (candidate, baseline) in ms by one clock, and their median ratio with its interval."""

    baseline: str
    clock: Clock
    pairs: list[tuple[float, float]] = field(default_factory=list)
    ratio: float = 0.0
    low: float = 0.0
    high: float = 0.0

    def add(self, candidate: Sequence[float], baseline: Sequence[float]) -> None:
        """Times in ms of so many calls each."""
        self.pairs += zip(candidate, baseline)
        self.ratio, self.low, self.high = intervals.median_interval([b / c for c, b in self.pairs])


@dataclass
class Timing:
    """What was taken; the headline is that baseline by the device's clock."""

    series: list[Series]
    baseline: str
    traced: bool = False
    """Whether the device's clock is its record of the kernels."""
    stopped_early: bool = False
    gated: bool = False
    """Whether all blocks of candidate and reference were enqueued before the device began."""
    block: int = 0
    """Calls of a block."""
    hidden_ms: float = 0.0
    """What the clock here saw more than the candidate's process says, per call, less the same of the baseline."""
    surely_hidden_ms: float = 0.0
    """The same in the round in which it was least."""
    wall_ratio: float = 0.0
    """Baseline's over candidate's blocks by the clock here, all around the calls included."""
    dropped: int = 0
    samples: list[gpu.Sample] = field(default_factory=list)
    launch_floor_us: float = 0.0
    """What this clock reads for a kernel that does next to nothing; it is in all times, and taken off none."""

    @property
    def headline(self) -> Series:
        return next(series for series in self.series if series.baseline == self.baseline)

    @property
    def candidate_ms(self) -> float:
        return statistics.median(candidate for candidate, _ in self.headline.pairs)

    @property
    def events_ms(self) -> float:
        """A call of the candidate's by the events around it."""
        clock = "events" if self.traced else "device"
        by_events = next(s for s in self.series if (s.baseline, s.clock) == (self.baseline, clock))
        return statistics.median(candidate for candidate, _ in by_events.pairs)


def timed(
    trial: Trial,
    baselines: Sequence[tuple[str, Runner]],
    headline: str,
    plan: Plan,
    deadline: Deadline,
    stop_below: float | None,
) -> Timing:
    """All processes are constructed, with the parameters of the trial's last draw; the first baseline is eager.

    Raises `Ended` where an output of a timed call is wrong. `stop_below`: where the interval's high end lies clearly
    under it after a few pairs, more pairs are not taken.
    """
    return _Timer(trial, baselines, headline, plan, deadline).run(stop_below)


def enough(head: Series, plan: Plan, taken_s: float) -> bool:
    """Whether the plan is content with these pairs after that many seconds."""
    count = len(head.pairs)
    if count >= plan.most or (count and taken_s > plan.seconds):
        return True
    narrow = count >= plan.least and (head.high - head.low) / 2 <= plan.half_width * head.ratio
    return narrow and taken_s >= plan.least_seconds


class _Timer:
    def __init__(
        self, trial: Trial, baselines: Sequence[tuple[str, Runner]], headline: str, plan: Plan, deadline: Deadline
    ) -> None:
        trial.end_of_checked_calls()
        given = trial.fresh_inputs()
        expected = trial.expected(given)
        self._trial, self._plan = trial, plan
        self._block = self._most = _block_size(plan.most_block, given, expected)
        self._runners = [("candidate", trial.runner), *baselines]
        self._like, self._deadline = (given, expected), deadline
        self._sides = self._made()
        self._check = OutputCheck(trial, expected)
        self._drawn = random.Random(secrets.randbits(64))
        self._rebuilt, self._rebuilding_s, self._blocks = 0, 0.0, 0
        self._refusals = 0
        self._excess: list[float] = []
        self._wall_ratios: list[float] = []
        names = [name for name, _ in baselines]
        self._by_events = [Series(name, "events") for name in names]
        self._by_record = [Series(name, "device") for name in names]
        self._timing = Timing(self._by_record, headline, traced=trial.reference.device == "cuda")
        if not self._timing.traced:
            self._leave_record()

    def run(self, stop_below: float | None) -> Timing:
        try:
            return self._run(stop_below)
        finally:
            for side in self._sides[1:]:  # the next candidate is timed against them too
                side.settle()

    def _run(self, stop_below: float | None) -> Timing:
        timing, plan = self._timing, self._plan
        pair_ms = self._warm_up()
        wanted = max(plan.block, int(_BLOCK_MS / pair_ms))
        self._block = self._most = max(1, min(self._most, wanted, int(plan.seconds * 1e3 / 4 / pair_ms)))
        if plan.latencies:
            timing.launch_floor_us = self._sides[1].launch_floor_us()
        start = time.monotonic()
        swapped = False
        while not enough(timing.headline, plan, time.monotonic() - start):
            if self._is_to_be_rebuilt(time.monotonic() - start):
                self._rebuild()
            swapped = not swapped
            if not self._device_round(swapped):
                continue
            head = timing.headline
            if stop_below is not None and len(head.pairs) >= _EARLY_PAIRS:
                timing.stopped_early = head.high < (1 - _EARLY_MARGIN) * stop_below
                if timing.stopped_early:
                    break
        latencies = [Series(side.name, "latency") for side in self._sides[1:]]
        self._block, timing.block = min(self._block, plan.block), self._block
        while plan.latencies > len(latencies[0].pairs) and not timing.stopped_early:
            swapped = not swapped
            rans = self._round("latency", swapped)
            for one in latencies if rans else ():
                one.add(rans["candidate"].ms, rans[one.baseline].ms)
        timing.series = [*timing.series, *(self._by_events if timing.traced else ())]
        timing.series += [series for series in latencies if series.pairs]
        timing.gated = self._sides[0].gated and self._sides[1].gated
        timing.hidden_ms, timing.surely_hidden_ms = statistics.median(self._excess), min(self._excess)
        timing.wall_ratio = statistics.median(self._wall_ratios)
        return timing

    def _made(self) -> list[Side]:
        calls = max(_WARM_UP, self._most)
        return [Side(name, runner, self._deadline, *self._like, calls) for name, runner in self._runners]

    def _is_to_be_rebuilt(self, taken_s: float) -> bool:
        plan = self._plan
        due = plan.rebuilt_after and len(self._timing.headline.pairs) >= plan.rebuilt_after * (self._rebuilt + 1)
        return bool(due) and self._rebuilt < _MOST_REBUILT and self._rebuilding_s <= _REBUILDING_SHARE * taken_s

    def _rebuild(self) -> None:
        """Everything once more, elsewhere in the device's memory; but for what compiling would take too long."""
        start = time.monotonic()
        self._trial.construct(gaps=self._gaps(_REBUILD_GAPS))
        for name, runner in self._runners[1:]:
            if name not in COMPILED:
                runner.ask(self._trial.construction(self._gaps(_REBUILD_GAPS)), self._deadline)
            if name == EAGER.name:
                self._trial.hand_parameters(runner)
        before, self._sides = self._sides, self._made()
        for side, same in zip(self._sides, before):
            side.gated = same.gated
        self._warm_up()
        self._rebuilt += 1
        self._rebuilding_s += time.monotonic() - start

    def _warm_up(self) -> float:
        """Clocks, caches, kernels that are loaded as they are first called: not behind a gate. Returns what one
        call of each side takes in ms."""
        givens = [self._trial.fresh_inputs() for _ in range(_WARM_UP)]
        draws = self._draws(_WARM_UP)
        rans = [side.run(givens, "device", draws, gated=False) for side in self._sides]
        self._check.check(givens, self._sides[0], self._sides[1], rans[0], strictly=_WARM_UP)
        return sum(min(ran.ms) for ran in rans)

    def _device_round(self, swapped: bool) -> bool:
        """False where it doesn't count."""
        plan, rans = self._plan, self._round("device", swapped)
        if not rans:
            return False
        candidate, reference = rans["candidate"], rans[self._sides[1].name]
        shortest = min(statistics.median(ran.spans or ran.ms) for ran in rans.values())
        size = _calls_a_pair(shortest, plan.calls_a_pair)
        for one in self._by_events:
            one.add(_means(candidate.ms, size), _means(rans[one.baseline].ms, size))
        if self._timing.traced and not all(_agree(rans[side.name], reference) for side in self._sides):
            self._leave_record()
        if self._timing.traced:
            for one in self._by_record:
                one.add(_means(candidate.spans, size), _means(rans[one.baseline].spans, size))
        self._audit(candidate, reference)
        return True

    def _leave_record(self) -> None:
        """From here on, and for what was taken before, the events are the device's clock."""
        for one in self._by_events:
            one.clock = "device"
        self._timing.traced, self._timing.series = False, self._by_events

    def _round(self, clock: Clock, swapped: bool) -> dict[str, Ran]:
        """A block of each side, then the candidate's outputs. Empty where it doesn't count."""
        givens = [self._trial.fresh_inputs() for _ in range(self._block)]
        draws = self._draws(self._block)
        moving = self._plan.rebuilt_after > 0 and self._blocks % _BLOCKS_IN_PLACE == 0
        self._blocks += 1
        rans: dict[str, Ran] = {}
        for side in reversed(self._sides) if swapped else self._sides:
            try:
                # All sides have as many small launches, for the audit, and each its own order of them: pairs that
                # had the same ones before them would differ by where the two processes stood before that.
                spacing = self._drawn.sample(draws.spacing, self._block)
                spaced = replace(draws, spacing=spacing, gaps=self._gaps(side.places) if moving else [])
                rans[side.name] = side.run(givens, clock, spaced, gated=True)
            except GateRefused:
                for one in self._sides:
                    one.settle()
                self._after_refusal(side)
                return {}
        rans = {side.name: side.recorded(rans[side.name]) for side in self._sides}
        candidate = rans["candidate"]
        self._check.check(givens, self._sides[0], self._sides[1], candidate)
        sample = gpu.sample() if self._trial.reference.device == "cuda" else None
        if sample:
            self._timing.samples.append(sample)
            if sample.throttled and self._timing.dropped < _MOST_DROPPED:
                self._timing.dropped += 1
                return {}
        return rans

    def _after_refusal(self, side: Side) -> None:
        """The first may be something that is done once, the next more launches than the driver's queue holds; where
        one call is too many, the forward itself waits."""
        self._refusals += 1
        if self._refusals > 1:
            side.gated = self._block > 1
            self._block = self._block // 4 or 1 if side.gated else self._most

    def _audit(self, candidate: Ran, reference: Ran) -> None:
        self._wall_ratios.append(reference.wall_ms / candidate.wall_ms)
        unexplained = [(ran.wall_ms - sum(ran.ms)) / len(ran.ms) for ran in (candidate, reference)]
        self._excess.append(unexplained[0] - unexplained[1])

    def _draws(self, count: int) -> Draws:
        side = self._sides[0]
        ends = (side.places, side.held + 1, SPACING)
        return Draws(self._gaps(side.places), *([self._drawn.randrange(end) for _ in range(count)] for end in ends))

    def _gaps(self, count: int) -> list[int]:
        return [self._drawn.randrange(0, _MOST_GAP, _GAP_STEP) for _ in range(count)]


def _agree(ran: Ran, reference: Ran) -> bool:
    """Whether all calls were recorded, and the events read no more beside the kernels than they do in the reference's
    process, whose word can be taken."""
    if not ran.spans or not reference.spans:
        return False
    beside, usual = (statistics.median(ms - span for ms, span in zip(r.ms, r.spans)) for r in (ran, reference))
    return beside - usual <= max(_BESIDE_MS, _BESIDE_SHARE * statistics.median(ran.ms))


def _calls_a_pair(ms: float, most: int) -> int:
    return max(1, min(most, round(_PAIR_MS / ms)))


def _means(times: Sequence[float], size: int) -> list[float]:
    """Of so many neighbours each; what is left over at the end counts for nothing unless it is all there is."""
    size = min(size, len(times))
    return [statistics.fmean(times[at : at + size]) for at in range(0, len(times) - size + 1, size)]


def _block_size(most: int, given: Sequence[torch.Tensor], expected: Expected) -> int:
    _, in_bytes = laid_out([(tensor.shape, tensor.dtype) for tensor in given])
    _, out_bytes = laid_out(expected.shapes)
    return max(1, min(most, _BLOCK_BYTES // max(1, in_bytes + out_bytes)))
