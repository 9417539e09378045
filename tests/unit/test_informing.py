"""What a proposer is told beyond its run: which kernels it is shown."""

from __future__ import annotations

import pytest

from samples import PROBLEM, attempt, measured
from tilewright.hardware import load_gpu
from tilewright.informing import Informer
from tilewright.records import Before, Brief, Candidate, Example, Finding, Problem
from tilewright.wording import teaching

FAST, SLOW, UNMEASURED = (Example(name, name, f"{name} = 1", 0.9, ratio) for name, ratio in (
    ("fast", 1.3), ("slow", 0.4), ("unmeasured", None),
))  # fmt: skip
GROWN = Example("grown", "grown", "grown = 1", 0.9, 0.7, before=Before("was = 1", 0.1))
FAR = Example("far", "far", "far = 1", 0.3, 1.5)


class Found:
    name = "found"

    def __init__(self, *found: Example) -> None:
        self.found = found

    def retrieve(
        self, problem: Problem, candidate: Candidate, k: int, findings: tuple[Finding, ...] = ()
    ) -> tuple[Example, ...]:
        return self.found[:k]


def shown(*found: Example) -> list[str]:
    parent = attempt(0, measured(0.5), 0, "seed")
    brief = Brief(PROBLEM, parent, (parent,), 1, "structure", "H100", 3)
    told = Informer(load_gpu("H100"), Found(*found), 2, list)(brief)  # type: ignore[arg-type]
    return [example.problem for example in told.examples]


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ((SLOW, FAST, UNMEASURED, GROWN), ["fast", "unmeasured"]),
        ((SLOW, GROWN), ["grown"]),  # it shows a step
        ((SLOW, FAR), ["slow", "far"]),
        ((SLOW, FAST, FAR), ["fast", "far"]),
        ((), []),
    ],
)
def test_slow_kernels_are_shown_only_where_nothing_else_is_as_relevant(
    found: tuple[Example, ...], wanted: list[str]
) -> None:
    assert shown(*found) == wanted


def test_a_slow_example_says_why_it_is_shown() -> None:
    text = teaching.examples([SLOW, GROWN], 10_000)
    assert text.count("no model for its structure, shown since nothing faster is like it") == 1
