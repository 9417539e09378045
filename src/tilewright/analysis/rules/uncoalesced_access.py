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
from tilewright.analysis.lanes import Strided, strided_access
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
            access = strided_access(source, written, facts) if source and written else None
            first = written.access_lines[0] if written and written.access_lines else kernel.line
            apart = f": in {access.access} neighbouring threads are {access.stride} values apart" if access else ""
            findings.append(
                saving.finding(
                    self.name,
                    "memory",
                    saves,
                    f"kernel {kernel.name} uses {kernel.coalescing:.0%} of the bytes in the sectors it touches"
                    + apart,
                    f"{_turned(access)}, or move whole tiles with T.copy through T.alloc_shared and reorder them "
                    "there.",
                    [("coalescing", kernel.coalescing), *_stride(access)],
                    access.line if access else first,
                )
            )
        return findings


def _stride(access: Strided | None) -> list[tuple[str, float | str]]:
    if access is None:
        return []
    return [("stride", float(access.stride) if access.stride.isdecimal() else access.stride)]


def _turned(access: Strided | None) -> str:
    if access is None:
        return "Make the thread index run along the contiguous (last) dimension"
    if access.moving == access.last:
        return (
            f"Let neighbouring threads take neighbouring values of {access.tensor}: in `{access.last}` multiply what "
            "a loop counts by the number of threads, and add threadIdx.x as it is"
        )
    return (
        f"Swap what `{access.moving}` and `{access.last}` do: threadIdx.x (of a T.Parallel the last variable) "
        f"along the last index of {access.tensor}, a loop or the grid along the one of `{access.moving}`"
    )
