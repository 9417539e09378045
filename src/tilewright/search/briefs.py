"""What is known of a run when one of its turns begins?"""

from __future__ import annotations

from dataclasses import replace

from tilewright.records import Brief, Run
from tilewright.search.policies import select


def turn_brief(run: Run, turn: int, limit: int) -> Brief:
    """From the attempts before that turn alone, so that it is the same while the turn goes on and after it."""
    before = tuple(attempt for attempt in run.attempts if attempt.turn < turn)
    parent = select(replace(run, attempts=before))
    return Brief(run.problem, parent, before, turn, "structure", run.gpu, limit)


def place_of(turn: int) -> str:
    """Where the store keeps what a turn was told beyond its run."""
    return f"turn {turn}"
