"""Does a candidate launch a TileLang kernel at all? Asked of what is generated: PyTorch alone would be right, too."""

from __future__ import annotations

from tilewright.protocols import Verdict
from tilewright.records import Candidate, Evidence, Problem, Reason, Rejected


class OwnKernelGate:
    """Stands after the compiler, whose facts it reads; where there are none it lets a candidate through."""

    name = "kernels"

    def check(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Verdict:
        if evidence.facts and not any(facts.kernels for facts in evidence.facts):
            reason = Reason("no-kernel", "forward launches no TileLang kernel", None, "Write one that does the work.")
            return Verdict(failure=Rejected(self.name, (reason,)))
        return Verdict(evidence)
