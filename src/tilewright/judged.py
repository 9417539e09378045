"""What do programs read of a kernel that was checked or evaluated?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tilewright.analysis import limit
from tilewright.hardware import load_gpu
from tilewright.kernelfile import KernelFile
from tilewright.protocols import Verdict
from tilewright.records import (
    Candidate,
    CompileFailed,
    Crashed,
    Estimated,
    Evaluation,
    Judged,
    Measured,
    Problem,
    Reason,
    Rejected,
    Verified,
    Wrong,
)
from tilewright.report import measured, words
from tilewright.report.checked import Checked, CheckVerdict
from tilewright.scores import score


@dataclass(frozen=True)
class Case:
    """A kernel with the problem it answers, ready to be judged."""

    kernel: KernelFile
    candidate: Candidate
    problem: Problem
    notes: tuple[str, ...]

    @property
    def line_offset(self) -> int:
        return self.kernel.line_offset


def checked(case: Case, verdict: Verdict, seconds: float) -> Checked:
    execution = verdict.evidence.execution
    skipped = (*verdict.evidence.not_checked, *(execution.not_checked if execution else ()))
    answer: CheckVerdict
    if verdict.failure is not None:
        answer = "rejected"
    elif execution is None or skipped:
        answer = "not_checked"
    else:
        answer = "passed"
    reasons = _reasons(verdict.failure) if verdict.failure else verdict.evidence.warnings
    return Checked(
        path=case.kernel.path,
        verdict=answer,
        reasons=tuple(replace(r, line=r.line + case.line_offset if r.line else None) for r in reasons),
        notes=case.notes,
        not_checked=skipped,
        execution=execution,
        seconds=seconds,
    )


def evaluation_record(case: Case, judged: Judged, seconds: float) -> dict[str, Any]:
    evaluation = judged.evaluation
    measurement = evaluation.measurement if isinstance(evaluation, Measured) else None
    record: dict[str, Any] = {
        "kernel": str(case.kernel.path),
        "id": judged.id,
        "outcome": evaluation.outcome,
        "reasons": [] if measurement else [_reason(case, r) for r in _reasons_or_none(evaluation)],
        "speedup_ratio": None,
        "interval": None,
        "latency_ratio": None,
        **_estimated(evaluation),
        "baselines": {},
        "error_ratio": evaluation.error_ratio if isinstance(evaluation, Verified) else None,
        "trust": None,
        "seeds": list(seeds_of(evaluation)),
        **limit_fields(judged),
        "seconds": round(seconds, 3),
        "text": words.outcome(evaluation),
    }
    if isinstance(evaluation, Verified):
        record |= {"cpu_ratio": evaluation.cpu_ratio, "checked_calls": evaluation.checked_calls}
    rows = limit.reached(judged.job.evidence, evaluation, load_gpu(judged.gpu)) if judged.gpu else []
    more = [words.limit(row.workload, row.candidate_ms, row.limit.floor_ms, row.rate, row.estimated) for row in rows]
    if measurement:
        record |= measured.fields(measurement)
        more = [*measured.details(measurement), *more]
    record["text"] = "\n  ".join([record["text"], *more])
    return record


def _estimated(evaluation: Evaluation) -> dict[str, Any]:
    """What puts candidates in order where nobody measures: no speedup follows from it."""
    value = score(evaluation) if isinstance(evaluation, Estimated) else None
    if value is None:
        return {"estimated_ms": None, "estimated_interval_ms": None}
    return {"estimated_ms": 1 / value.value, "estimated_interval_ms": [1 / value.high, 1 / value.low]}


def limit_fields(judged: Judged) -> dict[str, Any]:
    """Natively on a CPU there is no GPU whose limit it could be."""
    if not judged.gpu:
        return {"limit_percent": None, "limit_is_estimate": False, "floor": {}}
    return limit.fields(judged.job.evidence, judged.evaluation, load_gpu(judged.gpu))


def seeds_of(evaluation: Evaluation) -> tuple[int, ...]:
    """What the draws behind an evaluation follow from; () where none were made, or none are known."""
    match evaluation:
        case Measured(measurement=m):
            return m.seeds
        case Verified(seeds=seeds):
            return seeds
        case Wrong(mismatch=m):
            return () if m.seed is None else (m.seed,)
        case Crashed(seed=seed):
            return () if seed is None else (seed,)
    return ()


def _reasons_or_none(evaluation: Evaluation) -> tuple[Reason, ...]:
    return () if evaluation.outcome in ("verified", "estimated", "measured") else _reasons(evaluation)


def _reasons(failure: Evaluation) -> tuple[Reason, ...]:
    match failure:
        case Rejected(reasons=reasons):
            return reasons
        case Wrong(mismatch=m):
            return (Reason("mismatch", m.message, action=m.cause),)
        case CompileFailed(message=message, line=number, action=action):
            return (Reason("compile", message, number, action),)
    return (Reason(failure.outcome, words.outcome(failure)),)


def _reason(case: Case, reason: Reason) -> dict[str, Any]:
    line = reason.line + case.line_offset if reason.line else None
    message = f"{reason.message.rstrip('.')}. {reason.action}" if reason.action else reason.message
    return {"rule": reason.rule, "message": message, "line": line}
