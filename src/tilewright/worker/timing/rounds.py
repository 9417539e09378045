"""How many times faster than each baseline is a candidate, and how sure is that?

Candidate and baselines run in processes of their own that take turns (`crews`): blocks of a few calls on the same new
inputs, the order swapped each time. A pair is the i-th call of two blocks of a round; or, of short ones, the i-th
mean of a few: how long one of them takes has several modes a few percent apart (an H200, 14 us: 14.3, 14.9 and 15.2),
and the median of single calls jumps from one to another. Every output of the candidate's timed calls is compared. The
times are its process's own word; the clock here, which runs from the moment in which the inputs are there until the
last output is, audits them.

Where tensors lie in the device's memory is worth a percent or two, and is nobody's merit: every few blocks inputs are
moved, and now and then the processes whose turn it is construct theirs anew, somewhere else.

The device's clock is its record of the kernels where all rounds have one that agrees with the events around the
calls, and those events otherwise.
"""

from __future__ import annotations

import random
import secrets
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace

import torch

from tilewright.records import Clock
from tilewright.worker.exchange.tray import laid_out
from tilewright.worker.processes.nursery import Deadline
from tilewright.worker.timing import gpu
from tilewright.worker.timing.baselines import COMPILED, EAGER
from tilewright.worker.timing.crews import Crew, Hold, at_once, elsewhere, processes
from tilewright.worker.timing.pacing import Plan, enough
from tilewright.worker.timing.series import Series, Timing
from tilewright.worker.timing.sides import SPACING, Draws, GateRefused, Ran, Side
from tilewright.worker.timing.timedoutputs import OutputCheck
from tilewright.worker.verifying.expected import Expected
from tilewright.worker.verifying.verifier import Trial

_WARM_UP = 3
_EARLY_PAIRS = 5
_EARLY_MARGIN = 0.02
_BLOCK_MS = 20.0
"""Blocks of short calls are about this long, or as many calls as the plan has at most."""
_BLOCK_BYTES = 2 << 30
"""Inputs and outputs of a block, at most, of each process."""
_BLOCKS_SHARE = 0.125
"""Of the device's memory, at most, for the blocks of all processes."""
_PAIR_MS = 0.3
"""Calls as long as this are paired one by one."""
_MOST_REBUILT = 12
_REBUILDING_SHARE = 0.25
"""Of the time taken, at most, until nothing is constructed anew any more."""
_BESIDE_MS = 1.5e-3
_BESIDE_SHARE = 0.05
"""Events may read this much more beside a forward's kernels than beside the reference's: it may start slower."""
_BLOCKS_IN_PLACE = 4
"""Whoever knows its inputs by their addresses must be able to meet them again."""
_ENQUEUED_WITHIN_S, _ENQUEUED_AT_LAST_S = 0.3, 2.0
"""A block is enqueued in some 50 ms; after this long one of its calls waits for the device, which waits for us. Or
the host is busy: so it is asked once more, with more patience."""
_MOST_DROPPED = 20
"""Rounds dropped because the GPU was throttled."""


class Timer:
    """Times so many kinds of processes, the candidate's and those of baselines, as `hold` makes them.

    Made ready while others may use the GPU, and run while nobody does. Either raises `Ended` where an output of a
    timed call is wrong.
    """

    def __init__(self, trial: Trial, hold: Hold, kinds: int, headline: str, plan: Plan, deadline: Deadline) -> None:
        trial.end_of_checked_calls()
        given = trial.fresh_inputs()
        expected = trial.expected(given)
        self._trial, self._hold, self._plan, self._deadline = trial, hold, plan, deadline
        self._drawn = random.Random(secrets.randbits(64))
        self._like = given, expected
        count = processes(plan.processes, call_bytes(given, expected), kinds)
        self._most = self._block = _block_size(plan.most_block, given, expected, count * kinds)
        self._crews: list[Crew] = []
        self._check = OutputCheck(trial, expected)
        self._rebuilt, self._rebuilding_s, self._rounds = 0, 0.0, 0
        self._swapped = False
        self._refusals, self._patience_s = 0, _ENQUEUED_WITHIN_S
        self._excess: list[float] = []
        self._wall_ratios: list[float] = []
        self._enlarge(count)
        names = [crew.name for crew in self._crews[1:]]
        self._by_events = [Series(name, "events") for name in names]
        self._by_record = [Series(name, "device") for name in names]
        self._timing = Timing(self._by_record, headline, traced=trial.reference.device == "cuda")
        if not self._timing.traced:
            self._leave_record()

    def run(self, stop_below: float | None) -> Timing:
        """`stop_below`: where the interval's high end lies clearly under it after a few pairs, no more are taken."""
        try:
            return self._run(stop_below)
        finally:
            for crew in self._crews[1:]:  # the next candidate is timed against them too
                for side in crew.sides:
                    side.settle()

    def _run(self, stop_below: float | None) -> Timing:
        timing, plan = self._timing, self._plan
        self._set_block(self._warm_up(self._cast()))
        if plan.latencies:
            timing.launch_floor_us = self._crews[1].sides[0].launch_floor_us()
        start = time.monotonic()
        self._take_pairs(start, stop_below)
        while not timing.stopped_early and time.monotonic() - start < plan.seconds and self._processes_differ():
            self._enlarge(plan.processes)
            self._take_pairs(start, stop_below)
        latencies = [Series(crew.name, "latency") for crew in self._crews[1:]]
        self._block, timing.block = min(self._block, plan.block), self._block
        while plan.latencies > len(latencies[0].pairs) and not timing.stopped_early:
            cast = self._cast()
            rans = self._round("latency", cast)
            for place, one in enumerate(latencies if rans else (), 1):
                one.add(rans[0].ms, rans[place].ms, (cast[0], cast[place]))
        timing.series = [*timing.series, *(self._by_events if timing.traced else ())]
        timing.series += [series for series in latencies if series.pairs]
        for series in timing.series:
            series.allow_for_processes()
        timing.processes = len(self._crews[0].sides)
        timing.gated = all(side.gated for crew in self._crews[:2] for side in crew.sides)
        timing.hidden_ms, timing.surely_hidden_ms = statistics.median(self._excess), min(self._excess)
        timing.wall_ratio = statistics.median(self._wall_ratios)
        return timing

    def _set_block(self, pair_ms: float) -> None:
        """One call of each takes so long; a few blocks must fit into the time."""
        plan = self._plan
        wanted = max(plan.block, int(_BLOCK_MS / pair_ms))
        self._block = max(1, min(self._most, wanted, int(plan.seconds * 1e3 / 4 / pair_ms)))

    def _take_pairs(self, start: float, stop_below: float | None) -> None:
        timing, plan = self._timing, self._plan
        scale = len(self._crews[0].sides) // plan.processes or 1
        plan = replace(plan, least=scale * plan.least)
        while not enough(timing.headline, plan, time.monotonic() - start):
            cast = self._cast()
            if self._is_to_be_rebuilt(time.monotonic() - start):
                self._rebuild(cast)
            if not self._device_round(cast):
                continue
            head = timing.headline
            if stop_below is not None and len(head.pairs) >= _EARLY_PAIRS:
                timing.stopped_early = head.high < (1 - _EARLY_MARGIN) * stop_below
                if timing.stopped_early:
                    break

    def _processes_differ(self) -> bool:
        """Whether short calls take so different times in one process and the next that more of them are needed."""
        plan, head = self._plan, self._timing.headline
        if len(self._crews[0].sides) + plan.processes > plan.most_processes or not head.pairs:
            return False
        if max(max(pair) for pair in head.pairs) > _PAIR_MS:
            return False
        low, high = head.between_processes()
        return (high - low) / 2 > plan.processes_half_width * head.ratio

    def _enlarge(self, count: int) -> None:
        """So many more processes of each kind, ready to be timed."""
        named = self._hold(count)
        begun = [(name, runner) for name, runners in named for runner in runners]
        calls = max(_WARM_UP, self._most)
        sides = at_once(lambda one: Side(*one, self._deadline, *self._like, calls), begun)
        if not self._crews:
            self._crews = [Crew(name, self._drawn) for name, _ in named]
        for crew in self._crews:
            crew.sides += [side for side in sides if side.name == crew.name]
        givens = [self._trial.fresh_inputs()]  # the first call of a process takes half a second
        first = [(side, self._draws(side, 1)) for side in sides]
        at_once(lambda one: one[0].run(givens, "device", one[1], gated=False), first)
        for turn in range(count):
            self._warm_up([(len(crew.sides) - 1 - turn) % len(crew.sides) for crew in self._crews])

    def _cast(self) -> list[int]:
        """Of each crew whose turn it is."""
        return [crew.next() for crew in self._crews]

    def _sides(self, cast: Sequence[int]) -> list[Side]:
        return [crew.sides[place] for crew, place in zip(self._crews, cast)]

    def _is_to_be_rebuilt(self, taken_s: float) -> bool:
        plan = self._plan
        due = plan.rebuilt_after and len(self._timing.headline.pairs) >= plan.rebuilt_after * (self._rebuilt + 1)
        return bool(due) and self._rebuilt < _MOST_REBUILT and self._rebuilding_s <= _REBUILDING_SHARE * taken_s

    def _rebuild(self, cast: Sequence[int]) -> None:
        """These once more, elsewhere in the device's memory; but for what compiling would take too long."""
        start = time.monotonic()
        for side in self._sides(cast):
            if side.runner is self._trial.runner:
                self._trial.construct(gaps=elsewhere())
            elif side.name not in COMPILED:
                self._trial.construct_in(side.runner, elsewhere())
            if side.name == EAGER.name:
                self._trial.hand_parameters(side.runner)
            side.restart()
        self._warm_up(cast)
        self._rebuilt += 1
        self._rebuilding_s += time.monotonic() - start

    def _warm_up(self, cast: Sequence[int]) -> float:
        """Clocks, caches, kernels that are loaded as they are first called: not behind a gate. Returns what one
        call of each takes in ms."""
        sides = self._sides(cast)
        givens = [self._trial.fresh_inputs() for _ in range(_WARM_UP)]
        rans = [side.run(givens, "device", self._draws(side, _WARM_UP), gated=False) for side in sides]
        self._check.check(givens, sides[0], sides[1], rans[0], strictly=_WARM_UP)
        return sum(min(ran.ms) for ran in rans)

    def _device_round(self, cast: Sequence[int]) -> bool:
        """False where it doesn't count."""
        plan, rans = self._plan, self._round("device", cast)
        if not rans:
            return False
        candidate, reference = rans[0], rans[1]
        if not self._wall_ratios:  # the first; what was seen before included the host's time
            self._set_block(sum(statistics.median(ran.ms) for ran in rans))
        shortest = min(statistics.median(ran.spans or ran.ms) for ran in rans)
        size = _calls_a_pair(shortest, plan.calls_a_pair)
        for place, one in enumerate(self._by_events, 1):
            one.add(_means(candidate.ms, size), _means(rans[place].ms, size), (cast[0], cast[place]))
        if self._timing.traced and not all(_agree(ran, reference) for ran in rans):
            self._leave_record()
        if self._timing.traced:
            for place, one in enumerate(self._by_record, 1):
                one.add(_means(candidate.spans, size), _means(rans[place].spans, size), (cast[0], cast[place]))
        self._audit(candidate, reference)
        return True

    def _leave_record(self) -> None:
        """From here on, and for what was taken before, the events are the device's clock."""
        for one in self._by_events:
            one.clock = "device"
        self._timing.traced, self._timing.series = False, self._by_events

    def _round(self, clock: Clock, cast: Sequence[int]) -> list[Ran]:
        """A block of each, in the order of `cast`; then the candidate's outputs. Empty where it doesn't count."""
        givens = [self._trial.fresh_inputs() for _ in range(self._block)]
        sides = self._sides(cast)
        count = self._rounds
        self._rounds += 1
        self._swapped = not self._swapped if count % 2 else self._drawn.random() < 0.5
        # All have as many small launches, for the audit, and each its own order of them: pairs that had the same
        # ones before them would differ by where the two processes stood before that.
        spacing = [self._drawn.randrange(SPACING) for _ in range(self._block)]
        rans: dict[str, Ran] = {}
        for side in reversed(sides) if self._swapped else sides:
            moving = self._plan.rebuilt_after > 0 and side.blocks % _BLOCKS_IN_PLACE == 0
            draws = self._draws(side, self._block, moving)
            try:
                spaced = replace(draws, spacing=self._drawn.sample(spacing, self._block))
                rans[side.name] = side.run(givens, clock, spaced, gated=True, patience_s=self._patience_s)
            except GateRefused:
                for one in sides:
                    one.settle()
                self._after_refusal(next(crew for crew in self._crews if crew.name == side.name))
                return []
        found = [side.recorded(rans[side.name]) for side in sides]
        self._check.check(givens, sides[0], sides[1], found[0])
        sample = gpu.sample() if self._trial.reference.device == "cuda" else None
        if sample:
            self._timing.samples.append(sample)
            if sample.throttled and self._timing.dropped < _MOST_DROPPED:
                self._timing.dropped += 1
                return []
        return found

    def _after_refusal(self, crew: Crew) -> None:
        """The first may be something that is done once, a host that was busy, or more launches than the driver's
        queue holds (1024); where one call is too many, the forward itself waits."""
        self._refusals += 1
        self._patience_s = _ENQUEUED_AT_LAST_S
        if self._refusals == 1:
            self._most = self._block = min(self._block, self._plan.block)
        else:
            crew.leave_gate(self._block > 1)
            self._most = self._block = self._block // 4 or 1 if self._block > 1 else self._plan.block

    def _audit(self, candidate: Ran, reference: Ran) -> None:
        self._wall_ratios.append(reference.wall_ms / candidate.wall_ms)
        unexplained = [(ran.wall_ms - sum(ran.ms)) / len(ran.ms) for ran in (candidate, reference)]
        self._excess.append(unexplained[0] - unexplained[1])

    def _draws(self, side: Side, count: int, moving: bool = True) -> Draws:
        """Its places are moved before it first runs, and where `moving`."""
        ends = (side.places, side.held + 1, SPACING)
        gaps = elsewhere(side.places) if moving or not side.blocks else []
        return Draws(gaps, *([self._drawn.randrange(end) for _ in range(count)] for end in ends))


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


def _block_size(most: int, given: Sequence[torch.Tensor], expected: Expected, processes: int = 1) -> int:
    """Calls of a block, of which each of so many processes holds inputs and outputs."""
    room = _BLOCK_BYTES
    if torch.cuda.is_initialized():
        room = min(room, int(_BLOCKS_SHARE * torch.cuda.get_device_properties(0).total_memory / processes))
    return max(1, min(most, room // max(1, call_bytes(given, expected))))


def call_bytes(given: Sequence[torch.Tensor], expected: Expected) -> int:
    """Of one call's inputs and outputs."""
    _, in_bytes = laid_out([(tensor.shape, tensor.dtype) for tensor in given])
    _, out_bytes = laid_out(expected.shapes)
    return in_bytes + out_bytes
