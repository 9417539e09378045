"""What is said of a kernel that was measured again: in words, as the JSON of `docs/json.md`, and in CI."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tilewright.report import junit, words
from tilewright.report.checked import place_of

RegressVerdict = Literal[
    "same", "faster", "slower", "broken", "reference_faster", "not_timed", "not_compared", "abandoned"
]
Versions = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Taken:
    """What was once measured of a kernel: its speedup over `baseline` with the interval, and the times of the first
    workload, where they are known. `source` says where that is written."""

    ratio: float
    low: float
    high: float
    baseline: str
    device: str
    kernel_ms: float | None
    baseline_ms: float | None
    versions: Versions
    source: str


@dataclass(frozen=True)
class Regressed:
    """The answer for one kernel; `why` says what changed, or why nothing can be said.

    slower, broken: a regression. reference_faster: the ratio fell, and the kernel's own time is what it was.
    not_timed: right, and no time was taken. not_compared: nothing can be said. abandoned: the machinery failed.
    """

    path: Path
    verdict: RegressVerdict
    why: str
    then: Taken | None = None
    now: Taken | None = None
    outcome: str = ""
    """What an evaluator said now; "" where none was asked."""
    versions: Versions = ()
    """Now."""
    notes: tuple[str, ...] = ()
    evaluation: str = ""
    """The id that the new one is stored under."""
    seconds: float = 0.0

    @property
    def regression(self) -> bool:
        return self.verdict in ("slower", "broken")

    @property
    def other_gpu(self) -> bool:
        return self.then is not None and self.now is not None and self.then.device != self.now.device


def fields(row: Regressed) -> dict[str, Any]:
    """For programs."""
    return {
        "kernel": str(row.path),
        "verdict": row.verdict,
        "regression": row.regression,
        "why": row.why,
        "outcome": row.outcome or None,
        "then": _taken(row.then),
        "now": _taken(row.now),
        "other_gpu": row.other_gpu,
        "versions": dict(row.versions),
        "notes": list(row.notes),
        "evaluation": row.evaluation or None,
        "seconds": round(row.seconds, 3),
    }


def text(row: Regressed) -> str:
    """For people: one line of the table, and one for each thing to know about it."""
    then, now = (_ratio(one) for one in (row.then, row.now))
    verdict = row.outcome if row.verdict == "broken" and row.outcome else row.verdict
    lines = [f"{verdict.replace('_', ' '):<16}  {then:<22}  {now:<22}  {row.path}"]
    if row.verdict != "same":
        lines.append(row.why)
    return "\n".join([lines[0], *(f"  {more}" for more in (*lines[1:], *row.notes))])


def heading() -> str:
    return f"{'verdict':<16}  {'then':<22}  {'now':<22}  kernel"


def summary(rows: Sequence[Regressed], margin: float) -> list[str]:
    """The counts, and what it was measured with then and now."""
    counts = Counter(row.verdict for row in rows)
    told = ", ".join(f"{count} {verdict.replace('_', ' ')}" for verdict, count in counts.most_common())
    lines = [f"{len(rows)} kernels: {told} (margin {100 * margin:g} %)"]
    compared = [row for row in rows if row.then and row.versions]
    for when, found in (
        ("then", [(row.then.device, row.then.versions) for row in compared if row.then]),
        ("now", [(row.now.device if row.now else "", row.versions) for row in compared]),
    ):
        lines += [f"{when}: {_setting(*one)}" for one in dict.fromkeys(found)]
    return lines


def junit_document(rows: Sequence[Regressed]) -> str:
    """A regression is a failure, what could not be compared or timed is skipped."""
    return junit.suite("tilewright regress", [_case(row) for row in rows])


def _case(row: Regressed) -> junit.Case:
    shown = "\n".join([heading(), text(row), *_settings(row)])
    case = (place_of(row.path), row.seconds, shown)
    if row.regression:
        return junit.Case(*case, "failure", row.outcome if row.verdict == "broken" else row.verdict, row.why)
    if row.verdict == "abandoned":
        return junit.Case(*case, "error", row.verdict, row.why)
    if row.verdict in ("not_timed", "not_compared"):
        return junit.Case(*case, "skipped", message=row.why)
    return junit.Case(*case)


def _settings(row: Regressed) -> list[str]:
    then = [f"then: {_setting(row.then.device, row.then.versions)} ({row.then.source})"] if row.then else []
    now = [f"now: {_setting(row.now.device if row.now else '', row.versions)}"] if row.versions else []
    return then + now


def _setting(device: str, versions: Versions) -> str:
    return ", ".join([*([device] if device else []), *(f"{name} {version}" for name, version in versions)])


def _ratio(taken: Taken | None) -> str:
    return words.interval(taken.ratio, taken.low, taken.high) if taken else "-"


def _taken(taken: Taken | None) -> dict[str, Any] | None:
    if taken is None:
        return None
    return {
        "speedup_ratio": taken.ratio,
        "interval": [taken.low, taken.high],
        "baseline": taken.baseline,
        "kernel_ms": taken.kernel_ms,
        "baseline_ms": taken.baseline_ms,
        "gpu": taken.device or None,
        "versions": dict(taken.versions),
        "source": taken.source,
    }
