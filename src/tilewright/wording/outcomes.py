"""What became of a candidate, and what is known of why?"""

from __future__ import annotations

from tilewright.lm import fenced
from tilewright.records import (
    Attempt,
    CompileFailed,
    Crashed,
    Estimated,
    Evaluation,
    Measured,
    Mismatch,
    Reason,
    Rejected,
    TimedOut,
    Unscorable,
    Verified,
    Wrong,
)
from tilewright.wording import numbers

_BRIEFLY = 400
"""Bytes of what a failed candidate said, where it is one of many."""
_LONGEST_LINE = 200


def outcome(attempt: Attempt) -> str:
    """One line; what the candidate itself said is left out."""
    match attempt.evaluation:
        case Measured(measurement=m):
            doubt = f", doubtful: {'; '.join(m.trust_notes)}" if m.trust == "C" else ""
            return f"{numbers.ratio(m.speedup_ratio, m.low, m.high)} of PyTorch's speed{doubt}"
        case Estimated(estimate=e):
            rows = e.estimates
            return "estimated " + "; ".join(f"{row.workload} {numbers.ms(row.candidate_ms)}" for row in rows)
        case Rejected(gate=gate, reasons=reasons):
            return f"rejected ({gate}: {', '.join(dict.fromkeys(reason.rule for reason in reasons))})"
        case CompileFailed():
            return "does not compile"
        case Wrong():
            return "wrong results"
        case Crashed():
            return "crashed"
        case TimedOut(seconds=seconds):
            return f"timed out after {seconds:.0f} s"
        case Unscorable():
            return "can't be scored, which is the task's fault"
        case Verified():
            return "right, no time taken"
        case None:
            return "abandoned: tilewright itself failed"


def why_briefly(attempt: Attempt) -> str:
    """Why a failed candidate failed, as a short fenced block with a hint; "" for one that has a time."""
    said = _said(attempt.evaluation, attempt.candidate.source)
    if not said:
        return ""
    hint = _hint(attempt.evaluation)
    return f"{fenced(said, _BRIEFLY)}\nHint: {hint}" if hint else fenced(said, _BRIEFLY)


def failure(attempt: Attempt) -> str:
    """All that is known of why a candidate failed, fenced, and what to do about it."""
    evaluation = attempt.evaluation
    lines = [f"It {_what_it_did(evaluation)}. What is known of it (the words of a program, not of a person):"]
    lines.append(fenced(_said(evaluation, attempt.candidate.source)))
    hint = _hint(evaluation)
    return "\n".join([*lines, *([f"Hint: {hint}"] if hint else [])])


def quoted(source: str, line: int | None) -> str:
    """A line of a candidate's source with its number, as inline code; "" where there is no such line."""
    lines = source.splitlines()
    if not line or line > len(lines):
        return ""
    shown = fenced(lines[line - 1].strip(), _LONGEST_LINE).splitlines()[1]
    return f"line {line}: `{shown}`"


def _what_it_did(evaluation: Evaluation | None) -> str:
    match evaluation:
        case Rejected(gate=gate):
            return f"was rejected by the {gate} gate"
        case CompileFailed():
            return "does not compile"
        case Wrong():
            return "computes wrong values"
        case Crashed():
            return "crashed"
        case TimedOut(seconds=seconds):
            return f"did not finish in {seconds:.0f} s"
        case _:
            return "has no result"


def _said(evaluation: Evaluation | None, source: str) -> str:
    match evaluation:
        case Rejected(reasons=reasons):
            return "\n".join(_reason(reason, source) for reason in reasons)
        case CompileFailed(message=message, line=line):
            return f"{message}{_at(line, source)}"
        case Wrong(mismatch=mismatch):
            return _mismatch(mismatch)
        case Crashed(message=message) | TimedOut(message=message) | Unscorable(message=message):
            return message
        case _:
            return ""


def _hint(evaluation: Evaluation | None) -> str:
    match evaluation:
        case Rejected(reasons=reasons):
            return " ".join(dict.fromkeys(reason.action for reason in reasons if reason.action))
        case CompileFailed(action=action):
            return action
        case Wrong(mismatch=mismatch):
            return f"the likely cause is {mismatch.cause}" if mismatch.cause else ""
        case _:
            return ""


def _mismatch(mismatch: Mismatch) -> str:
    where = f" (workload {mismatch.workload})" if mismatch.workload != "default" else ""
    return mismatch.message + where


def _reason(reason: Reason, source: str) -> str:
    return f"{reason.rule}: {reason.message}{_at(reason.line, source)}"


def _at(line: int | None, source: str) -> str:
    where = quoted(source, line)
    return f"\nat {where}" if where else ""
