"""What is a candidate worth? Verified on fresh seeds, then timed against the reference; for each workload."""

from __future__ import annotations

import contextlib
import re
import statistics
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from tilewright.errors import WorkerError
from tilewright.records import (
    Candidate,
    Comparison,
    Crashed,
    Effort,
    Evaluation,
    Job,
    Measured,
    Measurement,
    Problem,
    Reason,
    Rejected,
    Unscorable,
    Verified,
    Workload,
    WorkloadTiming,
)
from tilewright.scores import mean_interval
from tilewright.worker import ownership
from tilewright.worker.compiling import Compiler
from tilewright.worker.crowd import Crowd
from tilewright.worker.ownership import Census, Ownership
from tilewright.worker.processes.nursery import Deadline, Ended, Nursery, Runner
from tilewright.worker.timing import floor, gpu, trust, turns
from tilewright.worker.timing.baselines import COMPILED, EAGER, Baselines, loading
from tilewright.worker.timing.crews import Named, at_once, elsewhere
from tilewright.worker.timing.pacing import CPU_PLANS, PLANS, Plan
from tilewright.worker.timing.rounds import Timer
from tilewright.worker.timing.series import Timing
from tilewright.worker.timing.trust import Trust
from tilewright.worker.verifying import inputs
from tilewright.worker.verifying.inputs import Reference
from tilewright.worker.verifying.verifier import Answers, Trial

CLOCK = "device: events around one forward, queue kept full"
CLOCK_TRACED = "device: first to last kernel of one forward by CUPTI, queue kept full"
CONFIRMATIONS = 3
"""Times that a new best is measured again, each with processes and seeds of its own."""
_TOO_LARGE = "the reference does not fit into the memory of this device"
_REFERENCES_KEPT = 16
_ANSWERS_KEPT = 4
_AHEAD = 3
_LIE_FACTOR = 2.0
_LEAST_LAUNCH = 0.7
"""Of what the clock reads for a kernel that does next to nothing."""
_LIE_MS = 0.3
"""More time than claimed by this much is no noise: the claim is void."""


@dataclass
class Bench:
    """What all evaluations of a host share."""

    nursery: Nursery
    device: str
    scratch: Path
    late_executions: dict[tuple[str, str, str], int] = field(default_factory=dict)
    """How many candidates in a row took too long on this CPU: by problem, workload and size."""
    _references: OrderedDict[tuple[str, Workload], Reference] = field(default_factory=OrderedDict)
    _answers: OrderedDict[tuple[str, Workload], tuple[int, Answers]] = field(default_factory=OrderedDict)
    _floors: dict[tuple[str, Workload], float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    crowd: Crowd = field(default_factory=Crowd)
    _ahead: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(_AHEAD))

    def __post_init__(self) -> None:
        self.baselines = Baselines(self.nursery, self.device)
        self.compiler = Compiler(self.nursery)

    def reference(self, problem: Problem, workload: Workload, device: str) -> Reference:
        """The problem's reference, imported once a workload. Raises `Ended` with `Unscorable`."""
        key = (f"{problem.id} {device}", workload)
        with self._lock:
            if key not in self._references:
                self._references[key] = inputs.load(problem, workload, device, self.scratch / "references")
            self._references.move_to_end(key)
            while len(self._references) > _REFERENCES_KEPT:
                self._references.popitem(last=False)
            return self._references[key]

    def answers(self, problem: Problem, workload: Workload) -> tuple[int, Answers]:
        """A seed and what is known under it: candidates executed on the CPU share them within one host's life.

        A measurement doesn't: its seeds are its own."""
        with self._lock:
            known = self._answers.setdefault((problem.id, workload), (inputs.secret_seed(), {}))
            while len(self._answers) > _ANSWERS_KEPT:
                self._answers.popitem(last=False)
            return known

    def floor_ms(self, reference: Reference, written_bytes: float) -> float:
        """The least time that a forward can take on this GPU by the bytes it must move; 0 where none is known."""
        key = (reference.problem.id, reference.workload)
        device = floor.this_gpu()
        if device is None:
            return 0.0
        if key not in self._floors:
            self._floors[key] = floor.bytes_needed(reference, inputs.secret_seed())
        return floor.floor_ms(self._floors[key], written_bytes, device)

    @contextlib.contextmanager
    def few_ahead(self, deadline: Deadline) -> Iterator[None]:
        """For those whose processes are all there and wait to be timed: each takes the memory of a dozen."""
        start = time.monotonic()
        with self._ahead:
            deadline.extend(time.monotonic() - start)
            yield

    def candidate_runner(self, candidate: Candidate, deadline: Deadline, on_device: bool = True) -> Runner:
        return self.nursery.runner(candidate.id, deadline, on_device=on_device)


def measure(bench: Bench, job: Job) -> Evaluation:
    """`Measured` on a GPU, `Verified` on a CPU, or the failure."""
    if bench.device == "cuda" and not torch.cuda.is_available():
        raise WorkerError("PyTorch finds no CUDA GPU on this machine")
    refused = ownership.refused(job)
    if refused is not None:
        return refused
    if bench.device == "cuda":
        for kernel in (job.candidate, *(baseline.kernel for baseline in job.baselines if baseline.kernel)):
            bench.compiler.ahead(kernel, job.problem, job.gpu, job.deadline_s)
    with bench.crowd.among_others():
        evaluation = _once(bench, job)
    if bench.device == "cuda" and _short_of_memory(evaluation):
        with bench.crowd.by_itself():  # it may have been others that took the memory
            bench.baselines.let_go()
            evaluation = _once(bench, job)
    return evaluation


def _once(bench: Bench, job: Job) -> Evaluation:
    confirming = job.effort == "confirm" and bench.device == "cuda"
    try:
        rounds = [
            [_workload(bench, job, workload, place) for place, workload in enumerate(job.problem.workloads, first)]
            for first in _firsts(job, CONFIRMATIONS if confirming else 1)
        ]
    except Ended as ended:
        return ended.failure
    except torch.OutOfMemoryError:
        return Unscorable(_TOO_LARGE)
    finally:
        if bench.device == "cuda":
            torch.cuda.empty_cache()  # the next candidate needs it
    return _measured(rounds, job) if bench.device == "cuda" else _verified(rounds[0])


def _short_of_memory(evaluation: Evaluation) -> bool:
    """By the message: a candidate that writes it gets no more than a second try."""
    if not isinstance(evaluation, (Crashed, Unscorable)):
        return False
    return bool(re.search(r"out of memory|OutOfMemory|MemoryAllocation|" + _TOO_LARGE, str(evaluation)))


def _firsts(job: Job, rounds: int) -> range:
    """Of each round the place of its first seed among all."""
    count = len(job.problem.workloads)
    return range(0, rounds * count, count)


@dataclass
class _Result:
    workload: Workload
    trial: Trial
    timing: Timing
    trust: Trust
    census: Census
    floor_ms: float
    rung: str
    gpu_s: dict[str, float]
    """For so long the GPU was at work for this or was kept free for it, by what was being done."""


def _workload(bench: Bench, job: Job, workload: Workload, place: int) -> _Result:
    """One process of the candidate's at one workload: checked, timed, and its kernels looked at."""
    deadline = Deadline(job.deadline_s)
    reference = bench.reference(job.problem, workload, bench.device)
    plan = _plans(bench)[job.effort]
    with bench.candidate_runner(job.candidate, deadline) as runner:
        trial = _trial(bench, job, reference, runner, deadline, place)
        runner.ask(loading(job.candidate, job.problem, bench.device), deadline)
        try:
            # Not while somebody is timed: a context that is created disturbs them.
            with turns.beside_others(bench.device, deadline, "checking"):
                trial.construct()
                trial.check()
                lowest = bench.floor_ms(reference, trial.written_bytes) if bench.device == "cuda" else 0.0
            taken, owned = _timed(bench, job, trial, plan)
        finally:
            runner.close()
    _not_below(lowest, taken)
    trusted = _trusted(bench, job, trial, taken, plan, owned)
    return _Result(workload, trial, taken, trusted, owned.census, lowest, bench.nursery.rung, deadline.on_gpu_s)


def _trial(bench: Bench, job: Job, reference: Reference, runner: Runner, deadline: Deadline, place: int) -> Trial:
    given = {"effort": job.effort, "error_factor": job.error_factor, "backward": job.backward}
    if len(job.seeds) > place:
        return Trial(reference, runner, deadline, seed=job.seeds[place], **given)  # type: ignore[arg-type]
    return Trial(reference, runner, deadline, **given)  # type: ignore[arg-type]


def _timed(bench: Bench, job: Job, trial: Trial, plan: Plan) -> tuple[Timing, Ownership]:
    """Raises `Ended` where the times can't be what the candidate's process says.

    One that has something to beat is looked at in one process first: most are clearly slower, and no others are made
    for them."""
    stop_below = job.incumbent_ratio if len(job.problem.workloads) == 1 else None
    if bench.crowd.is_by_itself:
        plan = replace(plan, processes=1)
    if stop_below is not None and plan.processes > 1:
        taken, owned = _taken(bench, replace(job, effort="quick"), trial, _plans(bench)["quick"], stop_below, True)
        if owned is not None:
            return taken, owned
    taken, owned = _taken(bench, job, trial, plan, stop_below, False)
    assert owned is not None
    return taken, owned


def _taken(
    bench: Bench, job: Job, trial: Trial, plan: Plan, stop_below: float | None, goes_on: bool
) -> tuple[Timing, Ownership | None]:
    """None where it `goes_on`, since it isn't clearly slower."""
    fresh = job.effort == "confirm"
    own: list[Runner] = []
    with contextlib.ExitStack() as stack:

        def hold(count: int) -> list[Named]:
            wanted = [b for b in job.baselines if not (own and b.name in COMPILED)]  # once is long enough
            more = stack.enter_context(_more(bench, job, trial, count, begun=bool(own)))
            own.extend(more)
            return [("candidate", more), *stack.enter_context(bench.baselines.running(trial, wanted, fresh, count))]

        def made() -> Timer:
            kinds = 1 + len({EAGER, *job.baselines})
            return Timer(trial, hold, kinds, job.baselines[0].name, plan, trial.deadline)

        early = None
        if plan.processes > 1:
            stack.enter_context(bench.few_ahead(trial.deadline))
            with turns.beside_others(bench.device, trial.deadline, "readying"):
                early = made()
        with turns.alone(bench.device, trial.deadline, "timing"):
            taken = (early or made()).run(stop_below)
            owned = None if goes_on and not taken.stopped_early else ownership.examined(trial, job)
    if bench.device == "cuda" and _lies(taken):
        seen = taken.candidate_ms + taken.hidden_ms
        said = f"its process says {taken.candidate_ms:.3g} ms a call, the evaluator's clock saw {seen:.3g} ms"
        action = "Leave the clocks alone, and do the work in forward."
        raise Ended(Rejected("timing", (Reason("clock", said, None, action),)))
    return taken, owned


def _plans(bench: Bench) -> dict[Effort, Plan]:
    return PLANS if bench.device == "cuda" else CPU_PLANS


@contextlib.contextmanager
def _more(bench: Bench, job: Job, trial: Trial, count: int, begun: bool) -> Iterator[list[Runner]]:
    """So many processes that hold the candidate; the one that was checked is the first, before any has `begun`."""

    def begin(runner: Runner) -> None:
        runner.ask(loading(job.candidate, job.problem, bench.device), trial.deadline)
        trial.construct_in(runner, elsewhere())

    checked = [] if begun else [trial.runner]
    if checked and count > 1:
        trial.construct(gaps=elsewhere())  # the last checks may have left other parameters in it
    others: list[Runner] = []
    try:
        for _ in range(count - len(checked)):
            others.append(bench.candidate_runner(job.candidate, trial.deadline))
        at_once(begin, others)
        yield checked + others
    finally:
        at_once(lambda runner: runner.close(), others)


def _lies(taken: Timing) -> bool:
    """Whether in every round far more time went by than the candidate's process says, by any noise; or whether it
    says less than a kernel takes that does nothing."""
    if taken.events_ms < _LEAST_LAUNCH * taken.launch_floor_us / 1e3:
        return True
    seen = taken.candidate_ms + taken.surely_hidden_ms
    return seen > _LIE_FACTOR * taken.candidate_ms and taken.surely_hidden_ms > _LIE_MS


def _not_below(lowest: float, taken: Timing) -> None:
    if taken.candidate_ms < floor.MARGIN * lowest:
        said = (
            f"{taken.candidate_ms:.3g} ms is less than this GPU needs to move the bytes that the output depends on "
            f"({lowest:.3g} ms)"
        )
        action = "Something is not done within the timed call; if all of it is, please report this problem."
        raise Ended(Rejected("timing", (Reason("physical-floor", said, None, action),)))


def _trusted(bench: Bench, job: Job, trial: Trial, taken: Timing, plan: Plan, owned: Ownership) -> Trust:
    own = (*owned.notes, *trial.notes, f"seed {trial.seed}")
    notes = tuple(f"{trial.reference.workload.name}: {note}" for note in own)
    if bench.device == "cpu":
        return Trust(notes=notes)
    busy_ms = owned.census.busy_us / 1e3
    against: tuple[str, ...] = ()
    if owned.census.streams == 1 and busy_ms - taken.candidate_ms > trust.allowed_ms(taken):
        said = f"all of forward {taken.candidate_ms:.3g} ms by events"
        against = (f"its kernels take {busy_ms:.3g} ms by CUPTI, {said}",)
    parts = [trust.of_timing(taken, job, bench.nursery.isolation, plan.seconds), Trust(against=against, notes=notes)]
    return trust.together(parts)


def _measured(rounds: Sequence[list[_Result]], job: Job) -> Measured:
    """Of several rounds each ratio is the median of theirs, within the hull of their intervals."""
    headlines = [_headline(results) for results in rounds]
    ratio, low, high = _together(headlines)
    results = [result for results in rounds for result in results]
    trusted = trust.together([result.trust for result in results])
    device = gpu.device_name()
    taken = [_comparisons(same) for same in zip(*rounds)]
    baseline = job.baselines[0].name
    return Measured(
        Measurement(
            speedup_ratio=ratio,
            low=low,
            high=high,
            timings=tuple(c.timing for one in taken for c in one if (c.baseline, c.clock) == (baseline, "device")),
            baseline=baseline,
            gpu=gpu.short_name(device),
            device=device,
            versions=gpu.versions(),
            clock=CLOCK_TRACED if all(result.timing.traced for result in results) else CLOCK,
            checked_calls=sum(result.trial.checked_calls for result in results),
            error_ratio=_worst(results),
            trust=trusted.grade,
            trust_notes=trusted.words,
            conditions=_conditions(results),
            stopped_early=any(result.timing.stopped_early for result in results),
            comparisons=tuple(c for one in taken for c in one if (c.baseline, c.clock) != (baseline, "device")),
            census=rounds[0][0].census.shares,
            busy_ms=rounds[0][0].census.busy_us / 1e3 if rounds[0][0].census.shares else None,
            seeds=tuple(result.trial.seed for result in results),
            confirmations=tuple(headlines) if len(rounds) > 1 else (),
            isolation=results[0].rung,
            error_factor=job.error_factor,
        )
    )


def _comparisons(same: Sequence[_Result]) -> list[Comparison]:
    """At one workload, over the rounds: the pairs are those of the round in the middle."""
    found = []
    for series in same[0].timing.series:
        rounds = [
            one
            for result in same
            for one in result.timing.series
            if (one.baseline, one.clock) == (series.baseline, series.clock)
        ]
        middle = sorted(rounds, key=lambda one: one.ratio)[len(rounds) // 2]
        ratio, low, high = _together([(one.ratio, one.low, one.high) for one in rounds])
        timing = WorkloadTiming(
            workload=same[0].workload.name,
            weight=same[0].workload.weight,
            pairs=tuple(middle.pairs),
            ratio=ratio,
            low=low,
            high=high,
            candidate_ms=statistics.median(candidate for candidate, _ in middle.pairs),
            baseline_ms=statistics.median(baseline for _, baseline in middle.pairs),
        )
        found.append(Comparison(series.baseline, series.clock, timing))
    return found


def _together(rounds: Sequence[tuple[float, float, float]]) -> tuple[float, float, float]:
    """(ratio, low, high) of several: the median and the hull."""
    ratio = sorted(rounds)[len(rounds) // 2][0]
    return ratio, min(one[1] for one in rounds), max(one[2] for one in rounds)


def _headline(results: Sequence[_Result]) -> tuple[float, float, float]:
    heads = [(result.workload.weight, result.timing.headline) for result in results]
    if len(heads) == 1:
        return heads[0][1].ratio, heads[0][1].low, heads[0][1].high
    return mean_interval([(weight, h.ratio, h.low, h.high) for weight, h in heads])


def _verified(results: list[_Result]) -> Verified:
    """A busy CPU takes time for itself in any round: there the clock that lies only loses its say."""
    ratios = [r.timing.wall_ratio if _lies(r.timing) else r.timing.headline.ratio for r in results]
    parts = [(r.workload.weight, ratio, ratio, ratio) for r, ratio in zip(results, ratios)]
    trusted = trust.together([result.trust for result in results])
    return Verified(
        sum(result.trial.checked_calls for result in results),
        _worst(results),
        mean_interval(parts)[0],
        trusted.words,
        tuple(result.trial.seed for result in results),
    )


def _worst(results: Sequence[_Result]) -> float | None:
    ratios = [r.trial.error_ratio for r in results if r.trial.error_ratio is not None]
    return max(ratios, default=None)


def _conditions(results: Sequence[_Result]) -> tuple[tuple[str, float], ...]:
    """Over all rounds of timing: the clocks' extremes, the hottest, the most power; floors at the first workload."""
    samples = [sample for result in results for sample in result.timing.samples]
    found: list[tuple[str, float]] = []
    if samples:
        found += [
            ("sm_clock_mhz", min(sample.sm_clock_mhz for sample in samples)),
            ("sm_clock_mhz_most", max(sample.sm_clock_mhz for sample in samples)),
            ("memory_clock_mhz", min(sample.memory_clock_mhz for sample in samples)),
            ("temperature_c", max(sample.temperature_c for sample in samples)),
            ("power_w", max(sample.power_w for sample in samples)),
        ]
    if results[0].floor_ms:
        found.append(("floor_ms", results[0].floor_ms))
    if results[0].timing.launch_floor_us:
        found.append(("launch_floor_us", results[0].timing.launch_floor_us))
    found.append(("gpu_s", sum(sum(result.gpu_s.values()) for result in results)))
    for doing in results[0].gpu_s:
        found.append((f"{doing}_s", sum(result.gpu_s[doing] for result in results)))
    found.append(("processes", min(result.timing.processes for result in results)))
    found.append(("hidden_us", max(result.timing.hidden_ms for result in results) * 1e3))
    return tuple(found)
