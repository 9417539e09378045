"""What is said of a kernel that was checked without a GPU: in words, and as the JSON of `docs/json.md`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tilewright.records import Execution, Reason

CheckVerdict = Literal["passed", "rejected", "not_checked"]


@dataclass(frozen=True)
class Checked:
    """The answer for one kernel. Lines are those of the kernel's file.

    `reasons` are what it was rejected for, else what it is warned of; `notes` say what was done to it first, and
    `not_checked` what could not be looked at and why.
    """

    path: Path
    verdict: CheckVerdict
    reasons: tuple[Reason, ...]
    notes: tuple[str, ...]
    not_checked: tuple[str, ...]
    execution: Execution | None
    seconds: float

    @property
    def place(self) -> str:
        return place_of(self.path)

    @property
    def rejected(self) -> bool:
        return self.verdict == "rejected"


def place_of(path: Path) -> str:
    """The path with slashes, from the working directory where it lies in there: how CI systems name files."""
    path = path.resolve()
    here = Path.cwd()
    return (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()


def message_of(reason: Reason) -> str:
    """What was found, and what to do."""
    if not reason.action:
        return reason.message
    stop = "" if reason.message.endswith((".", "!", "?", ":")) else "."
    return f"{reason.message}{stop} {reason.action}"


def fields(checked: Checked) -> dict[str, Any]:
    """For programs."""
    execution = checked.execution
    said = [{"rule": r.rule, "message": message_of(r), "line": r.line} for r in checked.reasons]
    noted = [{"rule": "note", "message": note, "line": None} for note in (*checked.notes, *checked.not_checked)]
    return {
        "kernel": str(checked.path),
        "verdict": checked.verdict,
        "reasons": said + noted,
        "executed": {
            "blocks": execution.blocks,
            "of": execution.of,
            "batch_reduced": execution.batch_reduced,
            "error_ratio": execution.error_ratio,
        }
        if execution
        else None,
        "seconds": round(checked.seconds, 3),
    }


def text(checked: Checked) -> str:
    """For people."""
    lines = [headline(checked)]
    for reason in checked.reasons:
        where = f" line {reason.line}" if reason.line else ""
        lines.append(f"  {reason.rule}{where}: {message_of(reason)}")
    lines += [f"  note: {note}" for note in (*checked.notes, *checked.not_checked)]
    if checked.execution:
        lines.append(f"  {executed(checked.execution)}")
    return "\n".join(lines)


def headline(checked: Checked) -> str:
    return f"{checked.path}: {checked.verdict.replace('_', ' ')} ({checked.seconds:.1f} s)"


def executed(execution: Execution) -> str:
    reduced = f", {execution.batch_reduced}" if execution.batch_reduced else ""
    return f"executed {execution.blocks} of {execution.of} blocks{reduced}"
