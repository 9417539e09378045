"""Evaluations and findings in words: one short line each."""

from __future__ import annotations

from tilewright.records import (
    Attempt,
    CompileFailed,
    Crashed,
    Estimate,
    Estimated,
    Evaluation,
    Finding,
    Measured,
    Measurement,
    Rejected,
    TimedOut,
    Unscorable,
    Verified,
    Wrong,
)


def outcome(evaluation: Evaluation | None, error: str = "", line_offset: int = 0) -> str:
    """What became of a candidate. `line_offset` is added to line numbers."""
    match evaluation:
        case Measured(measurement=m):
            early = ", stopped early" if m.stopped_early else ""
            return f"{m.speedup_ratio:.3f}x [{m.low:.3f}, {m.high:.3f}]{early}"
        case Estimated(estimate=e):
            return estimate_ms(e)
        case Rejected(gate=gate, reasons=reasons):
            return f"rejected by {gate}: {'; '.join(r.message for r in reasons)}"
        case CompileFailed(message=message, line=line):
            return f"does not compile{_at(line, line_offset)}: {message}"
        case Wrong(mismatch=m):
            return m.message
        case Crashed(message=message):
            return f"crashed: {message}"
        case TimedOut(message=message):
            return f"timed out: {message}"
        case Unscorable(message=message):
            return f"can't be scored: {message}"
        case Verified(checked_calls=calls):
            return f"verified on {calls} calls, no time taken"
        case None:
            return f"abandoned: {error}"


def estimate_ms(estimate: Estimate) -> str:
    """Every number of an estimate is marked as one."""
    note = "" if estimate.calibrated else ", uncalibrated"
    rows = [
        f"est. {ms(row.candidate_ms)} (est. {ms(row.low_ms)} to {ms(row.high_ms)}{note})"
        for row in estimate.estimates
    ]
    return "; ".join(rows)


def measured_times(measurement: Measurement) -> str:
    return "; ".join(
        f"{t.workload}: {ms(t.candidate_ms)} against {ms(t.baseline_ms)} {measurement.baseline}"
        for t in measurement.timings
    )


def ms(value: float) -> str:
    if value < 0.1:
        return f"{value * 1000:.1f} us"
    return f"{value:.3g} ms" if value < 100 else f"{value:.0f} ms"


def finding(item: Finding, line_offset: int = 0) -> str:
    return f"{item.message}{_at(item.line, line_offset)}"


def hypothesis(attempt: Attempt) -> str:
    candidate = attempt.candidate
    return candidate.hypothesis or candidate.proposer


def _at(line: int | None, offset: int = 0) -> str:
    return f" (line {line + offset})" if line else ""
