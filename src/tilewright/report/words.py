"""Evaluations and findings in words: one short line each."""

from __future__ import annotations

from tilewright.header import EAGER
from tilewright.records import (
    Attempt,
    CompileFailed,
    Crashed,
    Estimate,
    Estimated,
    Evaluation,
    Finding,
    Measured,
    Rejected,
    TimedOut,
    Unscorable,
    Verified,
    Wrong,
)
from tilewright.scores import AT_LIMIT
from tilewright.wording.numbers import ms


def outcome(evaluation: Evaluation | None, error: str = "", line_offset: int = 0) -> str:
    """What became of a candidate. `line_offset` is added to line numbers."""
    match evaluation:
        case Measured(measurement=m):
            early = ", stopped early" if m.stopped_early else ""
            ratio = interval(m.speedup_ratio, m.low, m.high)
            return f"{ratio} over {baseline(m.baseline)} ({m.gpu}, device clock, trust {m.trust}{early})"
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


def of_limit(share: float, estimated: bool) -> str:
    """How much of what the GPU allows the problem was reached: "87% of the limit". Above it no number means much."""
    percent = f"{share:.0%}" if share >= 0.095 else f"{100 * share:.2g}%"
    reached = f"{percent} of" if share <= 1 else "at" if share <= AT_LIMIT else "beyond"
    return f"{'est. ' if estimated else ''}{reached} the limit"


def limit(workload: str, candidate_ms: float, floor_ms: float, rate: str, estimated: bool) -> str:
    """The line that says where the limit is from. `rate` is "memory: 3.00 TB/s, ..."."""
    return f"{workload}: {of_limit(floor_ms / candidate_ms, estimated)}, {ms(floor_ms)} ({rate})"


def interval(ratio: float, low: float, high: float) -> str:
    return f"{ratio:.3f}x [{low:.3f}, {high:.3f}]"


def baseline(name: str) -> str:
    """What a baseline of the records is called."""
    known = {
        "eager": EAGER,
        "compile": "torch.compile",
        "max-autotune": "torch.compile max-autotune",
        "seed": "the seed",
    }
    return known.get(name, name.removeprefix("file:"))


def finding(item: Finding, line_offset: int = 0) -> str:
    return f"{item.message}{_at(item.line, line_offset)}"


def attempted(attempt: Attempt, line_offset: int = 0, share_reached: float | None = None) -> str:
    """What became of an attempt, how near that is to the limit, and whether it was seen of another one that does the
    same work."""
    text = outcome(attempt.evaluation, attempt.error, line_offset)
    if share_reached is not None:
        text += f"; {of_limit(share_reached, isinstance(attempt.evaluation, Estimated))}"
    return text if attempt.shared_with is None else f"same work as #{attempt.shared_with}: {text}"


def hypothesis(attempt: Attempt) -> str:
    candidate = attempt.candidate
    return candidate.hypothesis or candidate.proposer


def _at(line: int | None, offset: int = 0) -> str:
    return f" (line {line + offset})" if line else ""
