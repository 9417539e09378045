"""Does a verdict repeat? The same candidate, problem and settings, with the draws of a stored evaluation."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from tilewright import targets, wiring
from tilewright.config import GPUS, OptimizationConfig, from_pairs
from tilewright.errors import UsageError
from tilewright.judge import DEADLINE_S, judging, target_for
from tilewright.judged import seeds_of
from tilewright.records import (
    Baseline,
    CompileFailed,
    Crashed,
    Evaluation,
    Job,
    Judged,
    Measured,
    Rejected,
    Run,
    Verified,
    Wrong,
)
from tilewright.report import words
from tilewright.store import Store

Place = Literal["same", "another GPU", "no GPU"]
"""Where a verdict of a GPU is repeated."""


@dataclass(frozen=True)
class Answer:
    """`same` is None where this machine can't tell. `why` compares the two, `notes` say what was not repeated."""

    before: Judged
    after: Judged
    same: bool | None
    why: str
    notes: tuple[str, ...]
    seconds: float


def recheck(name: str, results: Path) -> Answer:
    """`name` is RUN/INDEX or the id of an evaluation. Raises `UsageError` where there is nothing to repeat."""
    with closing(wiring.open_store(results)) as store:
        before = _stored(store, name)
    clock = time.monotonic()
    with judging(_target(before)) as judge:
        after = judge.judge(_repeated(before), before.kernel_path)
    place = _place(before, after)
    same, why = compared(before.evaluation, after.evaluation, place)
    return Answer(before, after, same, why, _notes(before, after, place), time.monotonic() - clock)


def record(answer: Answer) -> dict[str, Any]:
    """For programs: what `recheck --json` prints."""
    return {
        "id": answer.before.id,
        "kernel": answer.before.kernel_path,
        "same": answer.same,
        "why": answer.why,
        "before": answer.before.evaluation.outcome,
        "after": answer.after.evaluation.outcome,
        "notes": list(answer.notes),
        "seeds": list(seeds_of(answer.before.evaluation)),
        "seconds": round(answer.seconds, 3),
    }


def compared(before: Evaluation, after: Evaluation, place: Place = "same") -> tuple[bool | None, str]:
    """Whether the second says what the first did, and in which respect. None where `place` can't tell."""
    match before, after:
        case Measured(measurement=one), Measured(measurement=other):
            if place != "same":
                return True, "right again; the times are of different GPUs"
            overlap = one.low <= other.high and other.low <= one.high
            ratios = " and ".join(words.interval(m.speedup_ratio, m.low, m.high) for m in (one, other))
            return overlap, f"{ratios} {'overlap' if overlap else 'do not overlap'}"
        case Measured(), Verified() if place == "no GPU":
            return True, "right again; no time was taken"
        case Wrong(mismatch=one), Wrong(mismatch=other):
            places = [(m.output, m.index, m.pattern) for m in (one, other)]
            if places[0] == places[1]:
                return True, f"wrong at {list(one.index)} of output {one.output} again"
            return False, "wrong again, but in another way"
        case _ if before.outcome == after.outcome:
            return True, f"{after.outcome} again"
    changed = f"was {before.outcome}, is {after.outcome}: {words.outcome(after)}"
    contradicts = place != "no GPU" or (isinstance(before, Measured) and isinstance(after, Wrong))
    return (False, changed) if contradicts else (None, f"{changed} (only a GPU may show the other)")


def of_attempt(run: Run, index: int) -> Judged:
    """An attempt of a run as an evaluation outside of one. Raises `UsageError` where it was abandoned."""
    attempt = run.attempts[index]
    if attempt.evaluation is None:
        raise UsageError(f"attempt {index} of run {run.id} was abandoned ({attempt.error}): there is no verdict")
    config = from_pairs(run.settings, OptimizationConfig())
    measurement = attempt.evaluation.measurement if isinstance(attempt.evaluation, Measured) else None
    baselines = run.baselines
    compared_with = {c.baseline for c in measurement.comparisons} if measurement else set()
    if "seed" in compared_with - {baseline.name for baseline in baselines}:
        baselines = (*baselines, Baseline("seed", run.attempts[0].candidate))
    job = Job(
        attempt.candidate,
        run.problem,
        effort="confirm" if measurement and measurement.confirmations else "full",
        gpu=run.gpu,
        deadline_s=DEADLINE_S * len(baselines),
        policy=config.policy,  # type: ignore[arg-type]  # it was checked when the run began
        baselines=baselines,
        error_factor=config.error_factor,
        backward=config.backward,
    )
    return Judged(
        job=job,
        evaluation=attempt.evaluation,
        where="local" if run.evaluator == "local" else "offline",
        kernel_path=run.kernel_path,
        gpu=run.gpu,
        versions=measurement.versions if measurement else (),
        when=run.started,
    )


def _stored(store: Store, name: str) -> Judged:
    run_name, slash, index = name.rpartition("/")
    if not (slash and index.isdigit()):
        return store.kept(name)
    run = store.load(store.find(run_name))
    if int(index) >= len(run.attempts):
        raise UsageError(f"run {run.id} has the attempts 0 to {len(run.attempts) - 1}, not {index}")
    return of_attempt(run, int(index))


def _repeated(judged: Judged) -> Job:
    """The job with the draws of then; of several workloads the one that went wrong."""
    evaluation, job = judged.evaluation, judged.job
    seeds = seeds_of(evaluation)
    if isinstance(evaluation, Wrong):
        at_fault = tuple(w for w in job.problem.workloads if w.name == evaluation.mismatch.workload)
        job = replace(job, problem=replace(job.problem, workloads=at_fault or job.problem.workloads))
    if isinstance(evaluation, Crashed):
        seeds = seeds * len(job.problem.workloads)
    return replace(job, seeds=seeds, incumbent_ratio=None)


def _target(judged: Judged) -> targets.Target | None:
    """Where it was judged, else on the CPU."""
    if judged.where == "cpu":
        return None
    config = OptimizationConfig()
    config.kernel_file, config.model = judged.kernel_path, "none"
    if judged.where == "offline":
        config.evaluator = "offline"
        if judged.gpu in GPUS:
            config.gpu = judged.gpu
        return target_for(config, None)
    target = target_for(config, None)
    assert target is not None
    takes_no_gpu = isinstance(judged.evaluation, (CompileFailed, Rejected))
    return target if takes_no_gpu or target.evaluator == "local" else None


def _place(before: Judged, after: Judged) -> Place:
    if before.where == "local" and after.where != "local":
        return "no GPU"
    return "same" if before.gpu == after.gpu else "another GPU"


def _notes(before: Judged, after: Judged, place: Place) -> tuple[str, ...]:
    notes = []
    if place == "no GPU":
        notes.append("times can't be repeated on this machine, which has no CUDA GPU: repeated on the CPU")
    elif place == "another GPU":
        notes.append(f"times can't be repeated here: they were taken on {before.gpu}, this is {after.gpu}")
    then, now = seeds_of(before.evaluation), seeds_of(after.evaluation)
    if not then:
        notes.append("no draws were stored with it: these are new ones")
    elif now and not set(then) & set(now):
        notes.append("execution on the CPU found it, on inputs that it draws anew each time")
    changed = [f"{name} {old} -> {new}" for name, old in before.versions
               if (new := dict(after.versions).get(name, old)) != old]  # fmt: skip
    if changed:
        notes.append(f"other versions than then: {', '.join(changed)}")
    return tuple(notes)
