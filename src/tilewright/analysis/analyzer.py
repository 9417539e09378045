"""What holds this candidate back, worst first?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tilewright.analysis.limit import limit as floor_ms
from tilewright.analysis.rules import installed_rules
from tilewright.analysis.runfacts import with_runs
from tilewright.analysis.saving import gpu_of, severity
from tilewright.protocols import Rule
from tilewright.records import Candidate, Evaluation, Evidence, Finding, Measured, Problem


class PerformanceAnalyzer:
    """Asks rules, the installed ones unless others are given. Touches no GPU and runs nothing.

    `rules=[*installed_rules(), MyRule()]` adds one; `rules=[MyRule()]` asks that one only.
    """

    def __init__(self, rules: Sequence[Rule] | None = None) -> None:
        self.rules: list[Rule] = list(installed_rules() if rules is None else rules)

    def analyze(
        self,
        candidate: Candidate,
        problem: Problem,
        evidence: Evidence,
        evaluation: Evaluation | None = None,
    ) -> list[Finding]:
        """The findings of all rules by what fixing them could save, most first.

        With a measurement rules find what the run showed in `evidence.runs`, and no finding promises more than the
        distance to the problem's floor. Without facts (the candidate does not compile, there is no compiler) the
        rules that can read the source alone still answer.
        """
        evidence = with_runs(evidence, evaluation)
        found = [finding for rule in self.rules for finding in rule.find(candidate, problem, evidence)]
        found.sort(key=lambda finding: -finding.saves)
        headroom = _headroom(evidence, evaluation)
        if headroom is None:
            return found
        return [_capped(finding, headroom) for finding in found]


def _headroom(evidence: Evidence, evaluation: Evaluation | None) -> float | None:
    """The share of the measured time that lies above the floor, in the workload that is furthest from it.

    None without a measurement, or where the time is below the floor: then the floor is not one for this candidate
    (it computes less than the reference), and says nothing.
    """
    if not isinstance(evaluation, Measured):
        return None
    measured = {timing.workload: timing.candidate_ms for timing in evaluation.measurement.timings}
    rooms = []
    for facts in evidence.facts:
        gpu, candidate_ms = gpu_of(facts), measured.get(facts.workload)
        if gpu is not None and candidate_ms:
            rooms.append(1.0 - floor_ms(facts, gpu).floor_ms / candidate_ms)
    return max(rooms) if rooms and max(rooms) > 0 else None


def _capped(finding: Finding, headroom: float) -> Finding:
    if finding.saves <= headroom:
        return finding
    return replace(finding, saves=headroom, severity=severity(headroom))
