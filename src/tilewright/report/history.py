"""The history of a run as a JSON array, valid at every moment: one object per attempt."""

from __future__ import annotations

import contextlib
import difflib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tilewright import jsonform
from tilewright.errors import StoreError
from tilewright.records import Attempt, Candidate, Measured, Run
from tilewright.report import words
from tilewright.report.measured import fields
from tilewright.scores import best, score

LimitOf = Callable[[Attempt, str], dict[str, Any]]
"""`limit_percent` and what it rests on, of an attempt on a GPU (by its name)."""


class HistoryFile:
    """Watches a run and keeps `optimization_history_<problem>.json` up to date.

    A file that an earlier run left is moved to `..._<run>.json` first. `limit_of` says how near an attempt comes to
    what the run's GPU allows.
    """

    def __init__(self, folder: Path, limit_of: LimitOf = lambda attempt, gpu: {}) -> None:
        self._folder, self._limit_of = folder, limit_of

    def started(self, run: Run) -> None:
        path = self.path(run)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"can't make {path.parent}: {error.strerror}. Choose another: --results DIR") from error
        earlier = _run_of(path)
        if path.exists() and earlier not in ("", run.id):
            with contextlib.suppress(FileNotFoundError):  # another run of a batch did it at the same moment
                path.rename(_free(path.with_name(f"{path.stem}_{earlier or 'unknown'}.json")))
        self._write(run)

    def trying(self, candidate: Candidate, phase: str, turn: int) -> None: ...

    def tried(self, run: Run, attempt: Attempt) -> None:
        self._write(run)

    def note(self, message: str) -> None: ...

    def stopped(self, run: Run) -> None:
        self._write(run)

    def path(self, run: Run) -> Path:
        return self._folder / f"optimization_history_{run.problem.name}.json"

    def _write(self, run: Run) -> None:
        path = self.path(run)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{run.id}")
        text = json.dumps(history(run, self._limit_of), indent=1, ensure_ascii=False, allow_nan=False)
        try:
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise StoreError(
                f"{path} can't be written: {error.strerror}. Every finished evaluation is in the store; mend that "
                f"and continue with: tilewright resume {run.id}"
            ) from error


def history(run: Run, limit_of: LimitOf) -> list[dict[str, Any]]:
    """Per attempt: what was found, suggested, changed and gained, the whole evaluation, and how near the limit is."""
    by_id = {attempt.candidate.id: attempt for attempt in run.attempts}
    return [_entry(run, attempt, by_id) | limit_of(attempt, run.gpu) for attempt in run.attempts]


def _entry(run: Run, attempt: Attempt, by_id: dict[str, Attempt]) -> dict[str, Any]:
    parent = by_id.get(attempt.candidate.parent or "")
    holder = best(run, before=attempt.index)
    mine, before = score(attempt.evaluation), score(holder.evaluation) if holder else None
    comparable = mine is not None and before is not None and mine.kind == before.kind
    outcome = attempt.evaluation.outcome if attempt.evaluation else "abandoned"
    return {
        "run": run.id,
        "iteration": attempt.turn,
        "attempt": attempt.index,
        "phase": attempt.phase,
        "kernel": run.kernel_path,
        "problem": run.problem.name,
        "candidate": attempt.candidate.id,
        "parent": attempt.candidate.parent,
        "proposer": attempt.candidate.proposer,
        "hypothesis": attempt.candidate.hypothesis,
        "bottleneck_analysis": "\n".join(words.finding(item) for item in attempt.findings),
        "suggestions": [item.action for item in attempt.findings],
        "code_change": _diff(parent, attempt) if parent else "",
        "outcome": outcome,
        "outcome_text": words.attempted(attempt),
        "shared_with": attempt.shared_with,
        "measured": outcome == "measured",
        "measurement": fields(attempt.evaluation.measurement) if isinstance(attempt.evaluation, Measured) else None,
        "improvement": mine.value / before.value - 1 if comparable and mine and before else None,
        "improvement_is_estimate": outcome == "estimated",
        "evaluation": jsonform.to_plain(attempt.evaluation) if attempt.evaluation else None,
    }


def _diff(parent: Attempt, attempt: Attempt) -> str:
    lines = difflib.unified_diff(
        parent.candidate.source.splitlines(),
        attempt.candidate.source.splitlines(),
        "before",
        "after",
        lineterm="",
        n=2,
    )
    return "\n".join(lines)


def _run_of(path: Path) -> str | None:
    """The run that a history belongs to: "" for one without entries, None for a file that is no history."""
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return str(entries[0]["run"]) if entries else ""
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _free(path: Path) -> Path:
    number = 2
    free = path
    while free.exists():
        free, number = path.with_name(f"{path.stem}_{number}{path.suffix}"), number + 1
    return free
