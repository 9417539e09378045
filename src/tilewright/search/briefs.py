"""What is known of a run when one of its turns begins, or the knob search in it?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from tilewright.records import Attempt, Brief, Run
from tilewright.search.policies import Policy
from tilewright.search.policies.greedy import Greedy


def turn_briefs(run: Run, turn: int, limit: int, policy: Policy) -> list[Brief]:
    """One for each attempt that the turn grows from, the best first; `limit` candidates are shared among them.

    From the attempts before that turn alone, so that they are the same while the turn goes on and after it.
    """
    before = tuple(attempt for attempt in run.attempts if attempt.turn < turn)
    parents = policy.select(replace(run, attempts=before))[: max(1, limit)]
    whole, over = divmod(limit, len(parents))
    return [
        Brief(run.problem, parent, before, turn, "structure", run.gpu, whole + (number < over))
        for number, parent in enumerate(parents)
    ]


def turn_brief(run: Run, turn: int, limit: int) -> Brief:
    """The turn's first, which every policy grows from the best."""
    return turn_briefs(run, turn, limit, Greedy())[0]


def before_knobs(run: Run, turn: int, but: int = 0) -> Run:
    """The run without what the turn tried of knobs, but for the first so many settings of each structure.

    The same while the search goes on, so that a resumed run decides what it decided."""
    tried: Counter[str] = Counter()
    known = []
    for attempt in run.attempts:
        if attempt.turn == turn and attempt.phase == "knobs":
            tried[attempt.candidate.structure_id] += 1
            if tried[attempt.candidate.structure_id] > but:
                continue
        known.append(attempt)
    return replace(run, attempts=tuple(known))


def by_brief(attempts: Sequence[Attempt], briefs: Sequence[Brief]) -> list[list[Attempt]]:
    """A turn's attempts, by the brief whose parent they descend from; by the first where that isn't known."""
    owner: dict[str, int] = {}
    for number, brief in enumerate(briefs):
        parent = brief.parent.candidate
        owner |= {parent.structure_id: number, parent.id: number}
    shared: list[list[Attempt]] = [[] for _ in briefs]
    for attempt in attempts:
        candidate = attempt.candidate
        number = owner.get(candidate.parent or "", owner.get(candidate.structure_id, 0))
        owner[candidate.id] = number
        shared[number].append(attempt)
    return shared


def place_of(turn: int, number: int = 0) -> str:
    """Where the store keeps what a turn's brief of that number was told beyond its run."""
    return f"turn {turn} parent {number}" if number else f"turn {turn}"
