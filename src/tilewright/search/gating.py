"""A candidate's way through the gates: in order, until one says no."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from tilewright.protocols import Gate, Verdict
from tilewright.records import Candidate, Evidence, Problem

_T = TypeVar("_T")


def through(
    gates: Sequence[Gate], candidate: Candidate, problem: Problem, at: Callable[[str], None] = lambda gate: None
) -> Verdict:
    """What all gates found out, and the failure of the one that said no. `at` is told the name of each."""
    evidence = Evidence()
    for gate in gates:
        at(gate.name)
        verdict = gate.check(candidate, problem, evidence)
        evidence = _together(evidence, verdict.evidence)
        if verdict.failure is not None:
            return Verdict(evidence, verdict.failure)
    return Verdict(evidence)


def _together(first: Evidence, second: Evidence) -> Evidence:
    return Evidence(
        facts=second.facts or first.facts,
        execution=second.execution or first.execution,
        warnings=_once(first.warnings, second.warnings),
        not_checked=_once(first.not_checked, second.not_checked),
        unread=_once(first.unread, second.unread),
    )


def _once(first: tuple[_T, ...], second: tuple[_T, ...]) -> tuple[_T, ...]:
    """A gate may hand on what it was told, beside what it found out."""
    return tuple(dict.fromkeys((*first, *second)))
