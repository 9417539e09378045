"""What each attempt is shown as: its value on the run's scale, its mark, and its outcome in a few words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tilewright.records import Attempt, CompileFailed, Crashed, Estimated, Measured, Rejected, Run, TimedOut, Wrong
from tilewright.report import words
from tilewright.scores import Kind, best, doubtful, score
from tilewright.wording.numbers import ms

Fate = Literal["seed", "best", "right", "doubtful", "failed", "abandoned"]
SHAPES: dict[Fate, str] = {
    "seed": "square",
    "best": "diamond",
    "right": "dot",
    "doubtful": "dot",
    "failed": "cross",
    "abandoned": "cross",
}


@dataclass(frozen=True)
class Value:
    """On the run's scale: a ratio over the baseline, or expected milliseconds."""

    shown: float
    low: float
    high: float
    speed: float
    """More is faster, on either scale."""


@dataclass(frozen=True)
class Shown:
    """An attempt with what the page says of it. `value` is None where it has none, or one of another kind."""

    attempt: Attempt
    fate: Fate
    value: Value | None
    brief: str

    @property
    def number(self) -> str:
        return f"#{self.attempt.index}"


@dataclass(frozen=True)
class Shows:
    """A run as it is shown. `champions` are the attempts that were the best in turn, the last one is."""

    run: Run
    kind: Kind
    attempts: tuple[Shown, ...]
    champions: tuple[Attempt, ...]

    @property
    def estimated(self) -> bool:
        return self.kind == "estimated"

    @property
    def best(self) -> Attempt | None:
        return self.champions[-1] if self.champions else None

    @property
    def number(self) -> Callable[[float], str]:
        """How a value of this run's scale is written."""
        return (lambda value: f"est. {ms(value)}") if self.estimated else (lambda value: f"{value:.3g}x")

    def of_speed(self, speed: float) -> float:
        return 1 / speed if self.estimated else speed

    @property
    def scale(self) -> str:
        """What the values are."""
        if self.estimated:
            return "estimated time (a model's, nothing was measured); lower is faster"
        return f"speedup over {words.baseline(self.run.baselines[0].name)}, measured; higher is faster"


def shows(run: Run) -> Shows:
    champions: list[Attempt] = []
    holder = best(run)
    while holder is not None:
        champions.insert(0, holder)
        holder = best(run, before=holder.index)
    scores = [found for attempt in run.attempts if (found := score(attempt.evaluation))]
    kind = scores[0].kind if scores else ("measured" if run.evaluator == "local" else "estimated")
    top = champions[-1].index if champions else None
    return Shows(run, kind, tuple(_shown(run, one, kind, top) for one in run.attempts), tuple(champions))


def _shown(run: Run, attempt: Attempt, kind: Kind, top: int | None) -> Shown:
    found = score(attempt.evaluation)
    value = None
    if found is not None and found.kind == kind:
        value = Value(found.value, found.low, found.high, found.value)
        if kind == "estimated":
            value = Value(1 / found.value, 1 / found.high, 1 / found.low, found.value)
    return Shown(attempt, _fate(run, attempt, top), value, _brief(attempt))


def _fate(run: Run, attempt: Attempt, top: int | None) -> Fate:
    if attempt.index == top and attempt.phase != "seed":
        return "best"
    if attempt.phase == "seed":
        return "seed"
    if attempt.evaluation is None:
        return "abandoned"
    if score(attempt.evaluation) is None and attempt.evaluation.outcome != "verified":
        return "failed"
    return "doubtful" if doubtful(attempt) else "right"


def _brief(attempt: Attempt) -> str:
    match attempt.evaluation:
        case Measured(measurement=m):
            doubt = ", doubtful" if m.trust == "C" else ""
            return f"{m.speedup_ratio:.3f}x{', stopped early' if m.stopped_early else ''}{doubt}"
        case Estimated(estimate=e):
            return ", ".join(f"est. {ms(row.candidate_ms)}" for row in e.estimates)
        case Rejected(gate=gate):
            return f"rejected by {gate}"
        case CompileFailed():
            return "does not compile"
        case Wrong():
            return "wrong values"
        case Crashed():
            return "crashed"
        case TimedOut():
            return "timed out"
        case None:
            return "abandoned"
        case other:
            return other.outcome
