"""Which stored kernels became slower or wrong, with what is installed now and on the GPU at hand?

What is compared is the ratio over the reference, which is taken in pairs: a kernel is slower where the interval of
now lies below that of then by more than a margin, and a second measurement, in three fresh processes, says so too. On
the same GPU the kernel's own time tells a slower kernel from a faster reference.

What this can't see: a driver that slows kernel and reference alike leaves their ratio as it was.
"""

from __future__ import annotations

import ast
import time
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tilewright import wiring
from tilewright.config import OptimizationConfig
from tilewright.errors import ConfigError, KernelFileError, MachineryError, ProblemError, UsageError
from tilewright.hardware import cores
from tilewright.header import read_header, read_measured_by, read_stats
from tilewright.judge import DEADLINE_S, Judging, case_of, job_for, judging, target_for, without_evidence
from tilewright.kernelfile import find_kernel, load_kernel, split_entry_point
from tilewright.listing import list_kernels
from tilewright.loading import up_to_date
from tilewright.recheck import of_attempt
from tilewright.records import (
    Baseline,
    Candidate,
    Estimated,
    Evaluation,
    Evidence,
    Job,
    Judged,
    Measured,
    Measurement,
    Precision,
    Rejected,
    Unscorable,
    Verified,
)
from tilewright.records.tasks import content_id
from tilewright.report import words
from tilewright.report.output import published
from tilewright.report.regressed import Regressed, RegressVerdict, Taken
from tilewright.store import Store, existing_store
from tilewright.wording.numbers import ms

STORE = "store"
REPLAY = "replay"
MARGIN = 0.05
"""The same kernel in two processes may differ by 2 % of its time, more than the interval of one measurement says."""
_PRECISIONS = typing.get_args(Precision)


def regress(
    kernels: Sequence[str],
    config: OptimizationConfig,
    *,
    baselines: Sequence[str] = (),
    margin: float = MARGIN,
    precision: Precision = "fp16",
    **where: Any,
) -> Iterator[Regressed]:
    """One answer a kernel of `kernels` (PATH, PATH:FUNCTION, or folders), in order. What is measured is stored.

    Kernels are compared with the results in their headers, or with what `baselines` measured of the same program:
    runs, or "store" for the newest of all runs and evaluations. `config` says where kernels are judged and where the
    store is; with the evaluator "replay" nothing is run, and the newest in the store stands for what is measured now.
    `precision` is for headers that don't name one; `where` is what `case_of` takes to find references.
    Raises `UsageError` where there is nothing to compare with, or nothing can be measured.
    """
    if not 0 <= margin < 1:
        raise ConfigError(f"--margin is a share from 0 to below 1, got {margin:g}")
    then, now = _recalled(config, baselines)
    planned: list[_Plan | Regressed] = []
    for name in _named(kernels):
        try:
            planned.append(_from_header(name, precision, where) if then is None else _from_store(name, then))
        except ProblemError as error:
            planned.append(Regressed(_path(name), "not_compared", str(error)))
        except KernelFileError as error:
            planned.append(_unreadable(_path(name), str(error)))
    if not any(isinstance(plan, _Plan) or plan.regression for plan in planned):
        reasons = list(dict.fromkeys(plan.why for plan in planned if isinstance(plan, Regressed)))
        raise UsageError(
            f"No kernel there can be compared: {'; '.join(reasons[:3]) or 'there is none'}. Measure first "
            "(tilewright evaluate KERNEL... --write-header), or name runs that did: --baseline RUN"
        )
    if now is not None:
        return (_replayed(plan, now, margin) if isinstance(plan, _Plan) else plan for plan in planned)
    return _measured_again(planned, config, margin)


def compared(then: Taken, now: Taken, margin: float) -> tuple[RegressVerdict, str]:
    """What the second measurement says against the first, and the times behind it."""
    same_gpu = then.device == now.device
    if same_gpu:
        kernel = _times("the kernel", then.kernel_ms, now.kernel_ms)
        times = f"{kernel}; {_times(words.baseline(now.baseline), then.baseline_ms, now.baseline_ms)}"
    else:
        times = f"then on {then.device or 'an unknown GPU'}, now on {now.device}: only the ratios compare"
    if now.low > then.high * (1 + margin):
        return "faster", times
    if now.high >= then.low * (1 - margin):
        return "same", times
    if same_gpu and then.kernel_ms and now.kernel_ms and now.kernel_ms <= then.kernel_ms * (1 + margin):
        return "reference_faster", times
    return "slower", times


@dataclass(frozen=True)
class _Recalled:
    """A measurement of the store, and what a person calls it."""

    source: str
    judged: Judged
    measurement: Measurement


@dataclass(frozen=True)
class _Plan:
    """A kernel that can be compared, and the job that measures it again. `programs` are what stores know it by."""

    path: Path
    then: Taken
    job: Job
    programs: tuple[str, ...]
    notes: tuple[str, ...]


def _recalled(
    config: OptimizationConfig, baselines: Sequence[str]
) -> tuple[Mapping[str, _Recalled] | None, Mapping[str, _Recalled] | None]:
    """By program, the newest measurements that stand for then and for now; None for what the store isn't asked."""
    replayed = config.evaluator == REPLAY
    if replayed and STORE in baselines:
        raise UsageError("--evaluator replay takes the store for now: for then name runs, or leave --baseline out.")
    if not (replayed or baselines):
        return None, None
    with closing(existing_store(Path(config.results))) as store:
        runs = {store.find(name) for name in baselines if name != STORE}
        then = _newest(_of_store(store) if STORE in baselines else _of_runs(store, runs)) if baselines else None
        now = _newest(_of_store(store, but=runs)) if replayed else None
    return then, now


def _of_store(store: Store, but: Iterable[str] = ()) -> Iterator[_Recalled]:
    yield from _of_runs(store, set(store.runs()) - set(but))
    for judged in store.measured():
        if isinstance(judged.evaluation, Measured):
            yield _Recalled(f"evaluation {judged.id}", judged, judged.evaluation.measurement)


def _of_runs(store: Store, runs: Iterable[str]) -> Iterator[_Recalled]:
    for run in map(store.load, runs):
        for number, attempt in enumerate(run.attempts):
            if isinstance(attempt.evaluation, Measured) and not attempt.evaluation.measurement.stopped_early:
                judged = of_attempt(run, number)
                yield _Recalled(f"attempt {run.id}/{number}", judged, attempt.evaluation.measurement)


def _newest(found: Iterable[_Recalled]) -> Mapping[str, _Recalled]:
    """Where something speaks against a measurement (trust C), it is none."""
    sure = [one for one in found if one.measurement.trust != "C"]
    return {_program(one.judged.job.candidate): one for one in sorted(sure, key=lambda one: one.judged.when)}


def _program(candidate: Candidate) -> str:
    """The same for sources that differ in comments, layout and the module's docstring, which holds results."""
    try:
        tree = ast.parse(candidate.source)
    except (SyntaxError, ValueError):
        return candidate.id
    if ast.get_docstring(tree, clean=False) is not None:
        del tree.body[0]
    support = [[file.path, file.text] for file in candidate.support]
    return content_id(ast.dump(tree), candidate.form, candidate.entry_point, support)


def _named(kernels: Sequence[str]) -> list[str]:
    """With folders as the kernels in them."""
    names: list[str] = []
    for name in kernels:
        folder = Path(name)
        names += [str(kernel.path) for kernel in list_kernels(folder)] if folder.is_dir() else [name]
    return list(dict.fromkeys(names))


def _path(name: str) -> Path:
    return find_kernel(split_entry_point(name)[0])


def _from_store(name: str, then: Mapping[str, _Recalled]) -> _Plan | Regressed:
    kernel = load_kernel(name)
    candidate, notes = up_to_date(kernel)
    programs = (_program(kernel.candidate), _program(candidate))
    found = next((then[program] for program in programs if program in then), None)
    if found is None:
        return Regressed(kernel.path, "not_compared", "no trusted measurement of this program is stored there")
    job = found.judged.job
    taken = _taken(found.measurement, found.source)
    baseline = next((one for one in job.baselines if one.name == taken.baseline), Baseline(taken.baseline))
    job = replace(
        job,
        candidate=candidate,
        evidence=Evidence(),
        effort="full",
        incumbent_ratio=None,
        deadline_s=DEADLINE_S,
        baselines=(baseline,),
        seeds=(),
    )
    return _Plan(kernel.path, taken, job, programs, notes)


def _from_header(name: str, precision: Precision, where: Mapping[str, Any]) -> _Plan | Regressed:
    path = _path(name)
    text = path.read_text(encoding="utf-8", errors="replace")
    stats = read_stats(text)
    then = _in_header(text, path)
    if then is None:
        return Regressed(path, "not_compared", "no result over PyTorch eager in its header")
    if stats.get("trust") == "C":
        return Regressed(path, "not_compared", "the result in its header has trust C: it doesn't count", then)
    written = str(stats.get("precision"))
    case = case_of(name, precision=written if written in _PRECISIONS else precision, **where)
    measured = read_measured_by(text)[1]
    changed = measured and measured not in (case.candidate.id, case.kernel.candidate.id)
    notes = (f"its text isn't the one that was measured (kernel {measured})",) if changed else ()
    programs = (_program(case.kernel.candidate), _program(case.candidate))
    return _Plan(path, then, job_for(case), programs, (*notes, *case.notes))


def _unreadable(path: Path, why: str) -> Regressed:
    """A regression where it is no Python and a result says that it was once right."""
    text = path.read_text(encoding="utf-8", errors="replace")
    then = _in_header(text, path)
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return Regressed(path, "broken" if then else "not_compared", why, then)
    return Regressed(path, "not_compared", why, then)


def _in_header(text: str, path: Path) -> Taken | None:
    """What a kernel file says was measured over PyTorch eager. Users write these lines too: most may be missing."""
    header, stats = read_header(text, path.stem), read_stats(text)
    if header.speedup_ratio is None:
        return None
    interval = stats.get("interval")
    ends = [end for end in interval if isinstance(end, (int, float))] if isinstance(interval, list) else []
    low, high = ends if len(ends) == 2 else [header.speedup_ratio] * 2
    return Taken(
        ratio=header.speedup_ratio,
        low=low,
        high=high,
        baseline="eager",
        device=str(stats.get("gpu", "")),
        kernel_ms=_number(stats.get("candidate_ms")),
        baseline_ms=_number(stats.get("baseline_ms")),
        versions=read_measured_by(text)[0],
        source="its header",
    )


def _taken(measurement: Measurement, source: str) -> Taken:
    shown = published(measurement)
    others = [c.timing for c in measurement.comparisons if (c.baseline, c.clock) == (shown.baseline, "device")]
    first = (measurement.timings if shown.baseline == measurement.baseline else others)[0]
    return Taken(
        ratio=shown.ratio,
        low=shown.low,
        high=shown.high,
        baseline=shown.baseline,
        device=measurement.device,
        kernel_ms=first.candidate_ms,
        baseline_ms=first.baseline_ms,
        versions=measurement.versions,
        source=source,
    )


def _replayed(plan: _Plan, now: Mapping[str, _Recalled], margin: float) -> Regressed:
    found = next((now[program] for program in plan.programs if program in now), None)
    if found is None:
        why = "the store holds no other trusted measurement of this program"
        return Regressed(plan.path, "not_compared", why, plan.then, notes=plan.notes)
    return _answer(plan, found.judged, margin, found.source)


def _measured_again(
    planned: Sequence[_Plan | Regressed], config: OptimizationConfig, margin: float
) -> Iterator[Regressed]:
    target = target_for(config, None)
    if target is not None and target.evaluator == "offline" and config.evaluator != "offline":
        raise UsageError(
            f"Kernels can't be measured again here: {target.reason.partition(';')[0]}. Do it on a machine with a "
            "GPU, or with --evaluator modal or ray. --evaluator offline finds those that no longer compile or are "
            "wrong, without times; --evaluator replay compares what the store holds."
        )
    with (
        closing(wiring.open_store(Path(config.results))) as store,
        judging(target) as judge,
        ThreadPoolExecutor(max(2, cores())) as pool,
    ):
        waiting = [
            pool.submit(_once_more, plan, judge, store, margin) if isinstance(plan, _Plan) else plan
            for plan in planned
        ]
        for one in waiting:
            yield one if isinstance(one, Regressed) else one.result()


def _once_more(plan: _Plan, judge: Judging, store: Store, margin: float) -> Regressed:
    clock = time.monotonic()
    try:
        judged = judge.judge(plan.job, str(plan.path))
        if _verdict(plan.then, judged.evaluation, margin)[0] == "slower":
            judged = judge.judge(replace(plan.job, effort="confirm"), str(plan.path))
    except MachineryError as error:  # of the other kernels something can still be said
        seconds = time.monotonic() - clock
        return Regressed(plan.path, "abandoned", str(error), plan.then, notes=plan.notes, seconds=seconds)
    if isinstance(judged.evaluation, Measured):
        judged = replace(judged, where="local")  # on a GPU, wherever that is
    answer = _answer(plan, judged, margin, f"evaluation {store.keep(without_evidence(judged))}")
    return replace(answer, evaluation=judged.id, seconds=time.monotonic() - clock)


def _answer(plan: _Plan, judged: Judged, margin: float, source: str) -> Regressed:
    verdict, why = _verdict(plan.then, judged.evaluation, margin)
    return Regressed(
        path=plan.path,
        verdict=verdict,
        why=why,
        then=plan.then,
        now=_taken(judged.evaluation.measurement, source) if isinstance(judged.evaluation, Measured) else None,
        outcome=judged.evaluation.outcome,
        versions=judged.versions,
        notes=plan.notes,
    )


def _verdict(then: Taken, evaluation: Evaluation, margin: float) -> tuple[RegressVerdict, str]:
    text = words.outcome(evaluation)
    match evaluation:
        case Measured(measurement=m) if m.trust == "C":
            return "not_compared", f"trust C: {'; '.join(m.trust_notes[:1])}"
        case Measured(measurement=m):
            now = _taken(m, "")
            if now.baseline != then.baseline:
                return "not_compared", f"then over {then.baseline}, now over {now.baseline}"
            return compared(then, now, margin)
        case Verified() | Estimated():
            return "not_timed", "right, and no time was taken"
        case Unscorable() | Rejected(gate="offline"):
            return "not_compared", text
    return "broken", text


def _times(what: str, then_ms: float | None, now_ms: float | None) -> str:
    then, now = ("?" if value is None else ms(value) for value in (then_ms, now_ms))
    return f"{what} {then} -> {now}"


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None
