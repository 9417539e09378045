"""A kernel goes over its tensors more than once where one pass would do.

What: a kernel that is no matrix product moves 1.4 times the bytes of its tensors or more.
Slow because: a kernel of this kind is bound by memory, so its time follows its bytes.
Example: a softmax with three loops over `X[row, j]`: for the maximum, again for the sum, again to divide.
Instead: keep the row (or a tile of it) in a fragment or in shared memory between the passes, or fold them
into one: the running maximum and sum of an online softmax, sum and sum of squares in one loop.
"""

from __future__ import annotations

from collections.abc import Sequence

from tilewright.analysis import saving
from tilewright.analysis.rules.no_shared_reuse import rereads_without_shared
from tilewright.analysis.source import read_source
from tilewright.records import Candidate, Evidence, Finding, Problem

_MORE_THAN_ONE_PASS = 1.4


class ExtraPasses:
    name = "extra-passes"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        facts = saving.slowest_facts(evidence)
        if facts is None:
            return []
        source = read_source(candidate.source, candidate.entry_point)
        findings = []
        for kernel in facts.kernels:
            asked, held = kernel.global_bytes or 0.0, kernel.tensor_bytes or 0.0
            if kernel.matmul_flops or held <= 0 or asked < _MORE_THAN_ONE_PASS * held:
                continue
            if rereads_without_shared(kernel):
                continue  # no matter of passes: `no-shared-reuse` says what to do
            written = source.kernel(kernel.name, kernel.line) if source else None
            saves = saving.saved_by_kernel(facts, kernel, global_bytes=held)
            if saves < saving.NOTICEABLE:
                continue
            findings.append(
                saving.finding(
                    self.name,
                    "memory",
                    saves,
                    f"kernel {kernel.name} moves {asked / 1e6:.1f} MB where one pass over its tensors would move "
                    f"{held / 1e6:.1f} MB",
                    "Keep the values between the passes in a fragment or in shared memory, or fold the passes into "
                    "one loop (online maximum and sum, sum and sum of squares together).",
                    [("global_bytes", asked), ("tensor_bytes", held), ("passes", asked / held)],
                    written.access_lines[0] if written and written.access_lines else kernel.line,
                )
            )
        return findings
