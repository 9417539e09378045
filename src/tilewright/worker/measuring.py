"""What is a candidate worth? Verified on fresh seeds, then timed against the reference; for each workload."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch

from tilewright.errors import WorkerError
from tilewright.records import (
    Candidate,
    Evaluation,
    Job,
    Measured,
    Measurement,
    Problem,
    Unscorable,
    Verified,
    Workload,
    WorkloadTiming,
)
from tilewright.worker import gpu, inputs, intervals, sandbox, timing
from tilewright.worker.inputs import Reference
from tilewright.worker.processes import Deadline, Ended, Nursery, Runner
from tilewright.worker.timing import CPU_PLANS, PLANS, Timing
from tilewright.worker.verifier import Answers, Trial, construction
from tilewright.worker.wire import Header

CLOCK = "events, queue kept full"
_REFERENCES_KEPT = 16
_ANSWERS_KEPT = 4
_BASELINES_KEPT = 2
_BASELINE_LIFE_S = 86400.0
_DRY = 0.2
"""Share of calls with a gap in the queue from which on the times are said to include the host's."""


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
    _baselines: OrderedDict[tuple[str, Workload], Runner] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

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

    @contextlib.contextmanager
    def baseline(self, trial: Trial, fresh: bool) -> Iterator[Runner]:
        """A process that holds the reference, constructed; kept for the next candidate unless a fresh one is wanted.

        Its parameters are drawn from another seed then: what it computes is not compared, only timed.
        """
        reference, deadline = trial.reference, trial.deadline
        key = (f"{reference.problem.id} {self.device}", reference.workload)
        with self._lock:
            runner = None if fresh else self._baselines.pop(key, None)
        made = runner is None
        if runner is None:
            name = f"reference-{reference.problem.id}"
            runner = self.nursery.runner(name, Deadline(_BASELINE_LIFE_S), of_reference=True)
        try:
            if made:
                runner.ask(_baseline_loading(reference.problem, reference.workload, self.device), deadline)
                runner.ask(construction(reference, trial.last_parameters_seed), deadline)
            yield runner
        finally:
            if fresh or not runner.usable:
                runner.close()
            else:
                self._keep_baseline(key, runner)

    def _keep_baseline(self, key: tuple[str, Workload], runner: Runner) -> None:
        with self._lock:
            surplus = [self._baselines.pop(key, None)]
            self._baselines[key] = runner
            if len(self._baselines) > _BASELINES_KEPT:
                surplus.append(self._baselines.popitem(last=False)[1])
        for one in surplus:
            if one is not None:
                one.close()

    def candidate_runner(self, candidate: Candidate, deadline: Deadline, threads: int = 1) -> Runner:
        return self.nursery.runner(candidate.id, deadline, threads)


def measure(bench: Bench, job: Job) -> Evaluation:
    """`Measured` on a GPU, `Verified` on a CPU, or the failure."""
    if bench.device == "cuda" and not torch.cuda.is_available():
        raise WorkerError("PyTorch finds no CUDA GPU on this machine")
    try:
        results = [_workload(bench, job, workload) for workload in job.problem.workloads]
    except Ended as ended:
        return ended.failure
    except torch.OutOfMemoryError:
        return Unscorable("the reference does not fit into the memory of this device")
    finally:
        if bench.device == "cuda":
            torch.cuda.empty_cache()  # the next candidate needs it
    return _measured(results, job) if bench.device == "cuda" else _verified(results)


@dataclass
class _Result:
    workload: Workload
    trial: Trial
    timing: Timing
    conditions: tuple[tuple[str, float], ...]


def loading(candidate: Candidate, problem: Problem, device: str, interpret_s: float = 0.0) -> Header:
    return {
        "op": "load",
        "source": candidate.source,
        "support": [[file.path, file.text] for file in candidate.support],
        "form": candidate.form,
        "entry_point": candidate.entry_point,
        "precision": problem.precision,
        "device": device,
        "interpret": interpret_s,
        "threads": 1,
        "overrides": [],
    }


def _workload(bench: Bench, job: Job, workload: Workload) -> _Result:
    deadline = Deadline(job.deadline_s)
    reference = bench.reference(job.problem, workload, bench.device)
    with bench.candidate_runner(job.candidate, deadline) as runner:
        trial = Trial(reference, runner, deadline)
        runner.ask(loading(job.candidate, job.problem, bench.device), deadline)
        trial.construct()
        with gpu.exclusive(bench.device, deadline):
            try:
                trial.check()
                taken, conditions = _timed(bench, job, trial)
            finally:
                runner.close()  # before others have their turn: a hung or dying process would slow them
    return _Result(workload, trial, taken, conditions)


def _timed(bench: Bench, job: Job, trial: Trial) -> tuple[Timing, tuple[tuple[str, float], ...]]:
    on_gpu = bench.device == "cuda"
    plan = (PLANS if on_gpu else CPU_PLANS)[job.effort]
    stop_below = job.incumbent_ratio if len(job.problem.workloads) == 1 else None
    with bench.baseline(trial, fresh=job.effort == "confirm") as baseline:
        before = gpu.readings() if on_gpu else ()
        taken = timing.timed(trial, baseline, trial.timed_sets(), plan, trial.deadline, stop_below)
        after = gpu.readings() if on_gpu else ()
    return taken, _conditions(before, after)


def _baseline_loading(problem: Problem, workload: Workload, device: str) -> Header:
    as_candidate = Candidate(problem.source, problem.form, problem.entry_point, support=problem.support)
    overrides = [[name, value] for name, value in workload.overrides]
    return {**loading(as_candidate, problem, device), "overrides": overrides}


def _measured(results: list[_Result], job: Job) -> Measured:
    timings = tuple(
        WorkloadTiming(
            workload=result.workload.name,
            weight=result.workload.weight,
            pairs=tuple(result.timing.pairs),
            ratio=result.timing.ratio,
            low=result.timing.low,
            high=result.timing.high,
            candidate_ms=intervals.median_interval([c for c, _ in result.timing.pairs])[0],
            baseline_ms=intervals.median_interval([b for _, b in result.timing.pairs])[0],
        )
        for result in results
    )
    if len(timings) == 1:
        ratio, low, high = timings[0].ratio, timings[0].low, timings[0].high
    else:
        parts = [(t.weight, t.ratio, t.low, t.high) for t in timings]
        ratio, low, high = intervals.geometric_mean_interval(parts)
    notes, doubts = _trust_notes(results)
    device = gpu.device_name()
    return Measured(
        Measurement(
            speedup_ratio=ratio,
            low=low,
            high=high,
            timings=timings,
            baseline="eager",
            gpu=gpu.short_name(device),
            device=device,
            versions=gpu.versions(),
            clock=CLOCK,
            checked_calls=sum(result.trial.checked_calls for result in results),
            error_ratio=_worst(results),
            trust="C" if doubts else "B",
            trust_notes=tuple(doubts + notes),
            conditions=results[-1].conditions,
            stopped_early=any(result.timing.stopped_early for result in results),
        )
    )


def _verified(results: list[_Result]) -> Verified:
    parts = [(r.workload.weight, r.timing.ratio, r.timing.low, r.timing.high) for r in results]
    notes, doubts = _trust_notes(results)
    checked = sum(result.trial.checked_calls for result in results)
    return Verified(checked, _worst(results), intervals.geometric_mean_interval(parts)[0], tuple(doubts + notes))


def _trust_notes(results: list[_Result]) -> tuple[list[str], list[str]]:
    """What is worth knowing of how it was measured, and what speaks against the number."""
    notes, doubts = [sandbox.RUNG_NOTE], []
    for result in results:
        if result.timing.suspicion:
            doubts.append(f"{result.workload.name}: {result.timing.suspicion}")
        if result.timing.ran_dry > _DRY:
            share = f"{100 * result.timing.ran_dry:.0f} %"
            notes.append(f"{result.workload.name}: the times of {share} of the calls include gaps that the host left")
        notes += [f"{result.workload.name}: {note}" for note in result.trial.notes]
        notes.append(f"{result.workload.name}: seed {result.trial.seed}")
    if results[0].trial.reference.device == "cuda" and not results[-1].conditions:
        doubts.append("nvidia-smi gave no clocks, temperature or power")
    return notes, doubts


def _worst(results: list[_Result]) -> float | None:
    ratios = [r.trial.error_ratio for r in results if r.trial.error_ratio is not None]
    return max(ratios, default=None)


def _conditions(
    before: tuple[tuple[str, float], ...], after: tuple[tuple[str, float], ...]
) -> tuple[tuple[str, float], ...]:
    """After the timing, and the clock before it: the two together say whether it fell."""
    return (*after, *((f"{name}_before", value) for name, value in before if name == "sm_clock_mhz"))
