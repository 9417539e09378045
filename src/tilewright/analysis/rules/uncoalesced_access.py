"""Neighbouring threads read or write addresses that lie apart.

What: the threads of a warp touch far more 32-byte sectors of device memory than their values fill.
Slow because: memory moves whole sectors; of each one only a part is used, and one instruction becomes up to
32.
Example: `X[tx, j]` over a row-major X, where `tx` is the thread: each thread walks along its own row.
Instead: let the thread index run along the last, contiguous dimension (`X[i, j0 + tx]`), or copy a tile with
`T.copy` into shared memory, in whole rows, and turn it there.
"""

from __future__ import annotations

from collections.abc import Sequence

from tilewright.analysis import saving
from tilewright.analysis.source import read_source
from tilewright.records import Candidate, Evidence, Finding, Problem

_GOOD = 1 / 3
"""Lanes two elements apart use half of their sectors, less at the borders, and what they leave is read by the warp's
next access out of L1: windows of stride 2, interleaved pairs."""


class UncoalescedAccess:
    name = "uncoalesced-access"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        facts = saving.slowest_facts(evidence)
        source = read_source(candidate.source, candidate.entry_point)
        findings = []
        for kernel in facts.kernels if facts else ():
            if facts is None or kernel.coalescing is None or kernel.coalescing >= _GOOD:
                continue
            written = source.kernel(kernel.name, kernel.line) if source else None
            saves = saving.saved_by_kernel(facts, kernel, coalescing=1.0)
            if saves < saving.NOTICEABLE:
                continue
            findings.append(
                saving.finding(
                    self.name,
                    "memory",
                    saves,
                    f"kernel {kernel.name} uses {kernel.coalescing:.0%} of the bytes in the sectors it touches",
                    "Make the thread index run along the contiguous (last) dimension, or move whole tiles with "
                    "T.copy through T.alloc_shared and reorder them there.",
                    [("coalescing", kernel.coalescing)],
                    written.access_lines[0] if written and written.access_lines else kernel.line,
                )
            )
        return findings
