"""What may be spent on a language model, and what was."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from tilewright.errors import BudgetSpent
from tilewright.records import Interaction

_CHARACTERS_PER_TOKEN = 3
"""Code has 3 to 4; fewer counts more. Used only where a server says nothing of tokens."""


class Budget:
    """Counts interactions, also of an earlier part of the run, and says when no further one may begin.

    Calls that are under way when a limit is reached are let finish, so the spending can end above it by as many calls
    as run at once.
    """

    def __init__(self, max_usd: float | None = None, max_tokens: int | None = None) -> None:
        self.max_usd, self.max_tokens = max_usd, max_tokens
        self.usd = 0.0
        """The sum of the known prices."""
        self.tokens = 0
        self.unpriced = 0
        """How many answers had a price that isn't known."""
        self._lock = threading.Lock()

    def add(self, interaction: Interaction) -> None:
        with self._lock:
            self.usd += interaction.usd or 0.0
            self.tokens += _tokens(interaction)
            if interaction.usd is None and (interaction.answer or interaction.tokens_in is not None):
                self.unpriced += 1

    def check(self) -> None:
        """Raise `BudgetSpent` where no further call may begin."""
        if self.max_tokens is not None and self.tokens >= self.max_tokens:
            raise BudgetSpent(f"{self.tokens:,} tokens were used, --max-tokens allows {self.max_tokens:,}.")
        if self.max_usd is None:
            return
        if self.usd >= self.max_usd:
            raise BudgetSpent(f"{self.usd:.2f} USD were spent, --max-usd allows {self.max_usd:.2f}.")
        if self.unpriced:
            raise BudgetSpent(
                "The price of this model isn't known, so --max-usd can't be held. Limit it by --max-tokens instead."
            )

    def __str__(self) -> str:
        priced = f"{self.usd:.2f} USD" if self.usd or not self.unpriced else "unknown price"
        more = f" and {self.unpriced} answers of unknown price" if self.usd and self.unpriced else ""
        return f"{self.tokens:,} tokens, {priced}{more}"


def spent_on(
    interactions: Iterable[Interaction], max_usd: float | None = None, max_tokens: int | None = None
) -> Budget:
    """What these came to, of these limits."""
    spent = Budget(max_usd, max_tokens)
    for interaction in interactions:
        spent.add(interaction)
    return spent


def _tokens(interaction: Interaction) -> int:
    if interaction.tokens_in is not None or interaction.tokens_out is not None:
        return (interaction.tokens_in or 0) + (interaction.tokens_out or 0)
    if interaction.usd is not None or not interaction.answer:
        return 0
    characters = sum(len(message.text) for message in interaction.messages) + len(interaction.answer)
    return characters // _CHARACTERS_PER_TOKEN
