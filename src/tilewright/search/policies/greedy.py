"""Grow from the best alone: each turn starts where the last one got to."""

from __future__ import annotations

from dataclasses import dataclass

from tilewright.records import Attempt, Run
from tilewright.scores import best, score

TUNED = 2
"""How many of a turn's structures get their knobs searched: the best, and the best new one beside it."""
PROMISING = 0.6
"""A new structure below this share of the best isn't worth a knob search."""


@dataclass(frozen=True)
class Greedy:
    name: str = "greedy"
    shared: float = 1.0

    def select(self, run: Run) -> list[Attempt]:
        """The best; the seed where nothing has a score yet."""
        return [best(run) or run.attempts[0]]

    def structures(self, run: Run, turn: int) -> list[str]:
        """The best's, and the best new one of the turn where it is promising."""
        [top] = self.select(run)
        limit = score(top.evaluation)
        fresh = ((found.value, a) for a in run.attempts if a.turn == turn and (found := score(a.evaluation)))
        promising = [
            attempt.candidate.structure_id
            for value, attempt in sorted(fresh, key=lambda pair: -pair[0])
            if limit is not None and value >= PROMISING * limit.value
        ]
        return list(dict.fromkeys((top.candidate.structure_id, *promising)))[:TUNED]
