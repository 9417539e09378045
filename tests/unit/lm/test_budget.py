from __future__ import annotations

import pytest

from tilewright.errors import BudgetSpent
from tilewright.lm import Budget
from tilewright.records import Interaction, Message


def call(usd: float | None, tokens: int | None = 100, answer: str = "yes", error: str = "") -> Interaction:
    messages = (Message("user", "a question"),)
    return Interaction("test", "m", messages, answer, tokens, tokens and 0, usd, 1.0, "now", error=error)


def test_nothing_is_limited_by_default() -> None:
    budget = Budget()
    budget.add(call(1000.0, 10**9))
    budget.check()
    assert str(budget) == "1,000,000,000 tokens, 1000.00 USD"


def test_a_budget_in_dollars_ends() -> None:
    budget = Budget(max_usd=0.05)
    budget.add(call(0.04))
    budget.check()
    budget.add(call(0.01))
    with pytest.raises(BudgetSpent, match=r"0\.05 USD"):
        budget.check()


def test_a_budget_in_tokens_ends() -> None:
    budget = Budget(max_tokens=150)
    budget.add(call(None))
    budget.check()
    budget.add(call(None))
    with pytest.raises(BudgetSpent, match="200 tokens"):
        budget.check()


def test_an_unknown_price_is_not_nothing() -> None:
    budget = Budget(max_usd=5)
    budget.add(call(None))
    assert str(budget) == "100 tokens, unknown price"
    with pytest.raises(BudgetSpent, match="isn't known"):
        budget.check()


def test_failed_calls_and_free_answers_cost_nothing() -> None:
    budget = Budget(max_usd=5, max_tokens=10)
    budget.add(call(None, None, answer="", error="429"))
    budget.add(call(0.0, None))
    budget.check()
    assert (budget.usd, budget.tokens, budget.unpriced) == (0.0, 0, 0)


def test_tokens_are_estimated_where_a_server_counts_none() -> None:
    budget = Budget(max_tokens=1000)
    budget.add(call(None, None, answer="x" * 3000))
    with pytest.raises(BudgetSpent):
        budget.check()
