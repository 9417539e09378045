"""What is there to do about a candidate that failed? Told to models and to people."""

from __future__ import annotations

from collections.abc import Sequence

from tilewright.records import CompileFailed, Evaluation, Reason, Rejected, Wrong


def hint(evaluation: Evaluation | None) -> str:
    """Empty where nothing is known."""
    match evaluation:
        case Rejected(reasons=reasons):
            return actions(reasons)
        case CompileFailed(action=action):
            return action
        case Wrong(mismatch=mismatch):
            return f"the likely cause is {mismatch.cause}" if mismatch.cause else ""
        case _:
            return ""


def actions(reasons: Sequence[Reason]) -> str:
    """Each once."""
    return " ".join(dict.fromkeys(reason.action for reason in reasons if reason.action))
