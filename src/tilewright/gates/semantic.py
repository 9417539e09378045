"""Does a candidate compute the right thing, as far as executing it on a CPU can tell?

Its TileLang kernels are interpreted and its outputs compared with the reference. It rejects what is surely wrong;
what it could not execute (too big, an unknown construct) passes, and the evidence says that it was not checked.
"""

from __future__ import annotations

import dataclasses
from concurrent.futures import Future

from tilewright import jsonform
from tilewright.channel import Answer, Host
from tilewright.protocols import Verdict
from tilewright.records import Candidate, Evaluation, Evidence, Problem


class SemanticGate:
    """`budget_s` is what one candidate may take of a core; a batch is made smaller to keep to it."""

    def __init__(self, host: Host, budget_s: float = 60.0, name: str = "semantic") -> None:
        self.name = name
        self._host = host
        self._budget_s = budget_s
        self._begun: tuple[Candidate, Problem, Future[Answer]] | None = None

    def begin(self, candidate: Candidate, problem: Problem) -> None:
        """Execute a candidate already, while a gate before this one is still at work on it. What was begun before
        and not asked for is dropped."""
        if self._host.jobs > 1:
            self._begun = (candidate, problem, self._executed(candidate, problem))

    def check(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Verdict:
        begun = self._begun
        if begun is not None and begun[:2] == (candidate, problem):
            self._begun, executed = None, begun[2]
        else:
            executed = self._executed(candidate, problem)
        answer = executed.result()
        found = jsonform.from_plain(Evidence, answer["evidence"])
        plain = answer["failure"]
        # By its outcome: several failures have the same fields.
        failure = None if plain is None else jsonform.from_plain(Evaluation, plain)
        return Verdict(
            dataclasses.replace(
                evidence,
                execution=found.execution,
                warnings=evidence.warnings + found.warnings,
                not_checked=evidence.not_checked + found.not_checked,
            ),
            failure,
        )

    def _executed(self, candidate: Candidate, problem: Problem) -> Future[Answer]:
        payload = {
            "candidate": jsonform.to_plain(candidate),
            "problem": jsonform.to_plain(problem),
            "budget_s": self._budget_s,
        }
        return self._host.call("execute", payload, self._budget_s)
