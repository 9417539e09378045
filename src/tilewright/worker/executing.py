"""Does a TileLang candidate compute the right thing, as far as that shows on a CPU?

Its kernels are interpreted and its outputs compared with the reference, at full size where the time allows, else with
a smaller batch. What could not be executed is said to be not checked, never to have passed.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from tilewright.protocols import Failure
from tilewright.records import (
    Candidate,
    CompileFailed,
    Crashed,
    Evaluation,
    Evidence,
    Execution,
    InputSpec,
    Job,
    Problem,
    Reason,
    Rejected,
    TimedOut,
    Unscorable,
    Verified,
    Workload,
    Wrong,
)
from tilewright.worker import ownership
from tilewright.worker.exchange import wire
from tilewright.worker.measuring import Bench
from tilewright.worker.processes.nursery import Deadline, Ended, NotExecuted
from tilewright.worker.timing.baselines import loading
from tilewright.worker.verifying import inputs
from tilewright.worker.verifying.families import Family
from tilewright.worker.verifying.inputs import Reference
from tilewright.worker.verifying.verifier import Trial

_SMALL_BATCHES = (4, 2)
_REDUCED = {"batch_size": _SMALL_BATCHES, "batch": _SMALL_BATCHES, "M": (512, 128), "N": (1024, 512)}
"""Constants by which a reference can be asked at a smaller size, and the sizes; the first that it has. Of rows a few
tiles remain; where there are none but of a square matrix, a few tiles each way."""
_CALLS: tuple[Family, ...] = ("drawn", "scaled")
_LATE_TWICE = 2
"""After so many candidates in a row for which a size took too long, it is not tried again."""
_LEAST_S = 1.0
"""Less time than this is not worth another try."""
_GRACE_S = 10.0
"""Until a process that has not come back is ended, past the time that the interpreter keeps to by itself."""
_FULL_SHARE = 0.6
"""Of the time that is left goes to a size while there are smaller ones to fall back on."""
_EXAMINED_BEFORE = 0.7
"""Share of the time after which a forward without the kernels is no longer tried."""
_CPU_FLOPS = 1e10
"""What a core does in float64 at the least; only to leave out sizes that can't be done."""
_CPU_ELEMENTS_PER_S = 8e6
"""Elements of inputs and outputs that are drawn, computed in two precisions and compared in a second."""


def execute(bench: Bench, candidate: Candidate, problem: Problem, budget_s: float) -> tuple[Evidence, Failure | None]:
    """The `execution` of the evidence says what was done; the failure is one that is surely the candidate's."""
    start = time.monotonic()
    done, failure = _all_workloads(bench, Job(candidate, problem), budget_s)
    execution = Execution(
        blocks=sum(one.blocks for one in done),
        of=sum(one.of for one in done),
        batch_reduced="; ".join(one.words for one in done if one.words),
        error_ratio=_worst(done),
        warnings=tuple(warning for one in done for warning in one.warnings),
        not_checked=tuple(one.not_checked for one in done if one.not_checked),
        seconds=time.monotonic() - start,
    )
    return Evidence(execution=execution), failure


def verified(bench: Bench, job: Job) -> Evaluation:
    """The evaluation of a TileLang candidate on a machine without a GPU: no time is taken."""
    refused = ownership.refused(job)
    if refused:
        return refused
    done, failure = _all_workloads(bench, job, job.deadline_s)
    if failure:
        return failure
    missing = [one for one in done if one.not_checked]
    if missing:
        message = f"not executed on the CPU: {missing[0].not_checked}"
        return TimedOut(message, job.deadline_s) if missing[0].late else Unscorable(message)
    notes = ["TileLang kernels were interpreted: no time taken"]
    notes += [f"executed with {one.words}" for one in done if one.words]
    notes += [note for one in done for note in one.notes]
    return Verified(sum(one.calls for one in done), _worst(done), None, tuple(notes))


@dataclass(frozen=True)
class _Size:
    """A size at which to execute: the workload, in words what of it was made smaller, and the number it was."""

    workload: Workload
    words: str = ""
    full: int = 0


@dataclass
class _Done:
    """What was executed of one workload."""

    words: str = ""
    calls: int = 0
    blocks: int = 0
    """Of one call, as `of`."""
    of: int = 0
    error_ratio: float | None = None
    warnings: tuple[Reason, ...] = ()
    notes: tuple[str, ...] = ()
    not_checked: str = ""
    late: bool = False


def _all_workloads(bench: Bench, job: Job, budget_s: float) -> tuple[list[_Done], Failure | None]:
    end, done, workloads = time.monotonic() + budget_s, list[_Done](), job.problem.workloads
    for number, workload in enumerate(workloads):
        share = (end - time.monotonic()) / (len(workloads) - number)
        try:
            done.append(_one_workload(bench, job, workload, share))
        except Ended as ended:
            return done, ended.failure
    return done, None


def _one_workload(bench: Bench, job: Job, workload: Workload, budget_s: float) -> _Done:
    """Raises `Ended` for what is surely wrong with the candidate (or with the problem)."""
    end = time.monotonic() + budget_s
    sizes = _sizes(bench, job.problem, workload, budget_s)
    if not sizes:
        return _Done(not_checked=f"{workload.name}: too big to be executed on a CPU in {budget_s:.0f} s", late=True)
    done = _Done()
    for size in sizes:
        last, key = size is sizes[-1], (job.problem.id, workload.name, size.words)
        left = end - time.monotonic()
        if not last and bench.late_executions.get(key, 0) >= _LATE_TWICE:
            continue
        if left < _LEAST_S and done.not_checked:
            break
        try:
            done = _at_size(bench, job, size, left if last else _FULL_SHARE * left)
        except NotExecuted as silence:
            done = _Done(not_checked=f"{workload.name}: {silence}", late=silence.late)
            if not silence.late:
                return done
            bench.late_executions[key] = bench.late_executions.get(key, 0) + 1
        except Ended as ended:
            return _of_a_smaller_size(job.candidate, size, ended)
        else:
            bench.late_executions[key] = 0
            return done
    return done


def _of_a_smaller_size(candidate: Candidate, size: _Size, ended: Ended) -> _Done:
    """A failure at full size is one. A smaller batch may be what a right kernel, written for one size, can't take."""
    failure = ended.failure
    if not size.words:
        raise ended
    if isinstance(failure, (Crashed, CompileFailed)):
        message = getattr(failure, "message", "")
        return _Done(size.words, not_checked=f"with {size.words} it does not run: {message[:200]}")
    texts = (candidate.source, *(file.text for file in candidate.support))
    names_it = any(re.search(rf"(?<![\w.]){size.full}(?![\w.])", text) for text in texts)
    if isinstance(failure, (Wrong, Rejected)) and names_it:
        return _Done(size.words, not_checked=f"wrong with {size.words}, but its source names {size.full} itself")
    raise ended


def _at_size(bench: Bench, job: Job, size: _Size, budget_s: float) -> _Done:
    """Raises `NotExecuted` where nothing is said of the candidate, `Ended` where it failed."""
    if budget_s <= 0:
        raise NotExecuted("no time was left to execute it", late=True)
    candidate, problem = job.candidate, job.problem
    reference = bench.reference(problem, size.workload, "cpu")
    deadline, done = Deadline(budget_s + min(_GRACE_S, budget_s / 4)), _Done(size.words)
    start, warnings, notes = time.monotonic(), list[Reason](), list[str]()
    with bench.candidate_runner(candidate, deadline, on_device=False) as runner:
        seed, answers = bench.answers(problem, size.workload)
        trial = Trial(reference, runner, deadline, seed=seed, answers=answers)
        try:
            runner.post(loading(candidate, problem, "cpu", interpret_s=budget_s))
            trial.foresee(_CALLS[0])
            runner.answer(deadline)
            trial.construct()
            for family, following in zip(_CALLS, (*_CALLS[1:], None)):
                header = trial.check_call(family, refill=False, following=following)
                _add(done, warnings, header)
                if time.monotonic() - start > budget_s / 3:
                    break
            if time.monotonic() - start < _EXAMINED_BEFORE * budget_s:
                notes += ownership.examined(trial, job, full_size=not size.words).notes
            else:
                notes.append("no time was left to see whether its kernels do the work")
        except Ended as ended:
            if not isinstance(ended.failure, TimedOut):
                raise
            raise NotExecuted(f"not executed within {budget_s:.3g} s", late=True) from ended
        except NotExecuted as silence:
            if not (silence.late and done.calls):
                raise
    done.calls, done.error_ratio = trial.checked_calls, trial.error_ratio
    done.warnings, done.notes = tuple(dict.fromkeys(warnings)), (*trial.notes, *notes)
    return done


def _add(done: _Done, warnings: list[Reason], header: wire.Header) -> None:
    """What the interpreter says it went through in one call."""
    if not header:
        return  # a family of inputs that was left out
    try:
        said = wire.field(header, "execution", dict)
        blocks, of = wire.field(said, "blocks", int), wire.field(said, "of", int)
        for rule, message, line in wire.field(said, "warnings", list)[:20]:
            place = line if type(line) is int else None
            warnings.append(Reason(wire.printable(rule, 80), wire.printable(message, 500), place))
    except (wire.BadFrame, ValueError, TypeError) as error:
        raise Ended(Crashed(f"wrote to the evaluator's channel: {error}")) from None
    done.blocks, done.of, done.calls = max(done.blocks, blocks), max(done.of, of), done.calls + 1


def _sizes(bench: Bench, problem: Problem, workload: Workload, budget_s: float) -> list[_Size]:
    """The sizes to try, the full one first; without those that can't be done in the time."""
    sizes = [_Size(workload), *_smaller(bench.reference(problem, workload, "cpu"))]
    return [size for size in sizes if not _too_big(bench.reference(problem, size.workload, "cpu"), budget_s)]


def _smaller(reference: Reference) -> list[_Size]:
    workload = reference.workload
    if workload.inputs:
        extents = {spec.shape[0] for spec in workload.inputs if spec.shape}
        full = extents.pop() if len(extents) == 1 and all(spec.shape for spec in workload.inputs) else 0
        return [
            _Size(_with_leading(workload, small), f"leading dimension {full} -> {small}", full)
            for small in _SMALL_BATCHES
            if small < full and len(workload.inputs) == 1
        ]
    for name, sizes in _REDUCED.items():
        batch = getattr(reference.module, name, None)
        if type(batch) is int:
            return [
                _Size(inputs.with_overrides(workload, [(name, small)]), f"{name} {batch} -> {small}", batch)
                for small in sizes
                if small < batch
            ]
    return []


def _with_leading(workload: Workload, extent: int) -> Workload:
    specs = tuple(InputSpec((extent, *spec.shape[1:]), spec.dtype) for spec in workload.inputs)
    return Workload(workload.name, workload.weight, workload.overrides, specs)


def _too_big(reference: Reference, budget_s: float) -> bool:
    """Whether the reference alone would take most of the time on a CPU; where that can't be told, a size is tried."""
    work = ownership.work_of(reference)
    if work is None:
        return False
    flops, elements = work
    return elements / _CPU_ELEMENTS_PER_S + flops / _CPU_FLOPS > budget_s / 4


def _worst(done: list[_Done]) -> float | None:
    return max((one.error_ratio for one in done if one.error_ratio is not None), default=None)
