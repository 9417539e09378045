"""Grow from the best few structures at once: one that starts slower may end faster.

Each turn's candidates and settings are shared among them, so that a turn costs what a greedy one does. Half of the
settings say how good each is; the other half goes to the best.
"""

from __future__ import annotations

from dataclasses import dataclass

from tilewright.records import Attempt, Measured, Run
from tilewright.scores import best, doubtful, score

WORTH_KEEPING = 0.5
"""A structure below this share of the best leaves the beam: the seed, soon, among others."""


@dataclass(frozen=True)
class Beam:
    width: int
    shared: float = 0.5

    @property
    def name(self) -> str:
        return f"beam:{self.width}"

    def select(self, run: Run) -> list[Attempt]:
        """Of each of the best structures the best setting; the seed where nothing has a score yet."""
        top = best(run)
        limit = score(top.evaluation) if top else None
        if top is None or limit is None:
            return [run.attempts[0]]
        kept = {top.candidate.structure_id: top}
        ranked = sorted(((found.value, a) for a in run.attempts if (found := score(a.evaluation))), key=_by_value)
        for value, attempt in ranked:
            if value >= WORTH_KEEPING * limit.value and _counts(attempt):
                kept.setdefault(attempt.candidate.structure_id, attempt)
        return list(kept.values())[: self.width]

    def structures(self, run: Run, turn: int) -> list[str]:
        return [attempt.candidate.structure_id for attempt in self.select(run)]


def _by_value(pair: tuple[float, Attempt]) -> tuple[float, int]:
    return -pair[0], pair[1].index


def _counts(attempt: Attempt) -> bool:
    """Not where it does the work of an earlier one, was given up early, or something speaks against its number."""
    evaluation = attempt.evaluation
    early = isinstance(evaluation, Measured) and evaluation.measurement.stopped_early
    return attempt.shared_with is None and not early and not doubtful(attempt)
