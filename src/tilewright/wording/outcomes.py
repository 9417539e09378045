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
from tilewright.wording.hints import actions, hint

_BRIEFLY = 400
"""Bytes of what a failed candidate said, where it is one of many."""
_LONGEST_LINE = 200
_LONGEST_WARNINGS = 2000


def outcome(attempt: Attempt) -> str:
    """One line; what the candidate itself said is left out."""
    match attempt.evaluation:
        case Measured(measurement=m):
            against = "".join(m.trust_notes[:1])  # the others are about the machine
            doubt = f", doubtful: {against}" if m.trust == "C" else ""
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
    """Why a failed candidate failed and what gates warned of before, as short fenced blocks with hints; "" for one
    that has a time."""
    said = _said(attempt.evaluation, attempt.candidate.source)
    if not said:
        return ""
    return _joined(fenced(said, _BRIEFLY), _hinted(hint(attempt.evaluation)), warned(attempt, _BRIEFLY))


def warned(attempt: Attempt, longest: int = _LONGEST_WARNINGS) -> str:
    """What gates warned of and let pass, in a fenced block of so many bytes at most with hints; "" for nothing."""
    reasons = attempt.evidence.warnings
    if not reasons:
        return ""
    said = "\n".join(_reason(reason, attempt.candidate.source) for reason in reasons)
    return _joined("What gates warned of and let pass:", fenced(said, longest), _hinted(actions(reasons)))


def failure(attempt: Attempt) -> str:
    """All that is known of why a candidate failed, fenced, and what to do about it."""
    evaluation = attempt.evaluation
    head = f"It {_what_it_did(evaluation)}. What is known of it (the words of a program, not of a person):"
    said = fenced(_said(evaluation, attempt.candidate.source))
    return _joined(head, said, _hinted(hint(evaluation)), warned(attempt))


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


def _hinted(said: str) -> str:
    return f"Hint: {said}" if said else ""


def _joined(*parts: str) -> str:
    return "\n".join(part for part in parts if part)


def _mismatch(mismatch: Mismatch) -> str:
    where = f" (workload {mismatch.workload})" if mismatch.workload != "default" else ""
    return mismatch.message + where


def _reason(reason: Reason, source: str) -> str:
    return f"{reason.rule}: {reason.message}{_at(reason.line, source)}"


def _at(line: int | None, source: str) -> str:
    where = quoted(source, line)
    return f"\nat {where}" if where else ""
