"""A candidate's way through the gates: in order, until one says no."""

from __future__ import annotations

from collections.abc import Sequence

from tilewright.protocols import Gate, Verdict
from tilewright.records import Candidate, Evidence, Problem


def through(gates: Sequence[Gate], candidate: Candidate, problem: Problem) -> Verdict:
    """What all gates found out, and the failure of the one that said no."""
    evidence = Evidence()
    for gate in gates:
        verdict = gate.check(candidate, problem, evidence)
        evidence = _together(evidence, verdict.evidence)
        if verdict.failure is not None:
            return Verdict(evidence, verdict.failure)
    return Verdict(evidence)


def _together(first: Evidence, second: Evidence) -> Evidence:
    return Evidence(
        facts=second.facts or first.facts,
        execution=second.execution or first.execution,
        warnings=first.warnings + second.warnings,
        not_checked=first.not_checked + second.not_checked,
    )
