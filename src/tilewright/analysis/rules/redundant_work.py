"""The kernel computes much more than the reference.

What: its products come to more than twice the operations that the reference counts. (Element-wise arithmetic is not
compared: the reference's is counted as one operation an element, whatever the function.)
Slow because: the same products are computed in several threads or blocks, or on padding that is thrown away.
Example: each output recomputes the activation of a shared intermediate; a tile of 128 rows for a problem of 8
rows.
Instead: compute shared intermediates once into shared memory, fit the tile to the problem, skip what is
masked.
"""

from __future__ import annotations

from collections.abc import Sequence

from tilewright.analysis import saving
from tilewright.analysis.source import read_source
from tilewright.records import Candidate, Evidence, Finding, Problem

_MUCH_MORE = 2.0


class RedundantWork:
    name = "redundant-work"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        facts = saving.slowest_facts(evidence)
        if facts is None or not facts.reference_flops:
            return []
        source = read_source(candidate.source, candidate.entry_point)
        findings = []
        for kernel in facts.kernels:
            flops = (kernel.matmul_flops or 0.0) * kernel.launches
            if flops <= _MUCH_MORE * facts.reference_flops:
                continue
            share = facts.reference_flops / flops
            kept = (kernel.matmul_flops or 0.0) * share
            saves = saving.saved_by_kernel(facts, kernel, flops=kept, matmul_flops=kept)
            if saves < saving.NOTICEABLE:
                continue
            written = source.kernel(kernel.name, kernel.line) if source else None
            findings.append(
                saving.finding(
                    self.name,
                    "compute",
                    saves,
                    f"kernel {kernel.name} multiplies for {flops / 1e9:.2f} GFLOP where the reference does "
                    f"{facts.reference_flops / 1e9:.2f}",
                    "Compute shared intermediates once and keep them in shared memory, fit the tile to the problem's "
                    "shape, and skip what is masked off.",
                    [("flops", flops), ("reference_flops", facts.reference_flops)],
                    written.line if written else kernel.line,
                )
            )
        return findings
