"""Which search policies are there? One file each; a policy decides from a run's attempts alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tilewright.errors import ConfigError
from tilewright.records import Attempt, Run
from tilewright.search.policies.beam import Beam
from tilewright.search.policies.greedy import Greedy

KNOWN = "greedy, beam:N"


class Policy(Protocol):
    """Where a search spends its turns. What is better than what is not its to say: `tilewright.scores` is."""

    @property
    def name(self) -> str: ...

    @property
    def shared(self) -> float:
        """Of a turn's budget for knobs the share that its structures get equally, to be judged at their best; what is
        left goes to the one that is ahead by then."""

    def select(self, run: Run) -> Sequence[Attempt]:
        """The attempts that the next turn grows from, the best first; at least one."""

    def structures(self, run: Run, turn: int) -> Sequence[str]:
        """Ids of the structures whose knobs are searched in this turn.

        `run` holds no knob attempt of the turn, so that a resumed run tunes what it began with."""


def policy_named(name: str) -> Policy:
    """`greedy` or `beam:3`. Raises `ConfigError` for another."""
    kind, _, width = name.partition(":")
    if kind == "greedy" and not width:
        return Greedy()
    if kind == "beam" and width.isdecimal() and int(width) > 0:
        return Beam(int(width))
    raise ConfigError(f"unknown search policy {name!r}; known: {KNOWN} (N structures are kept, such as beam:3)")
