"""Threads of a warp that use the same bank of shared memory.

What: neighbouring threads index neighbouring rows of a shared buffer, and a row is a multiple of 32 values long.
Slow because: shared memory has 32 banks of 4 bytes; addresses a multiple of 128 bytes apart are in the same one,
so the accesses of a warp are done one after the other, up to 32 times as many.
Example: `C_shared = T.alloc_shared((128, 128), "float32")` and `C_shared[tx, j]`, where `tx` is the thread.
Instead: let the threads run along the last dimension (`C_shared[i, tx]`), use `T.copy` or `T.Parallel`, for which
TileLang chooses a layout without conflicts, or make the rows a little longer (128 + 4).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tilewright.analysis import saving
from tilewright.analysis.source import BANKS, Conflict, read_source
from tilewright.hardware import WARP_SIZE, Gpu
from tilewright.records import Candidate, Evidence, Finding, KernelFacts, Problem

_CLOCK_HZ = 1.7e9
"""About what an H100 runs at."""
_PRIOR = 0.1
"""What it saves where the kernel's facts are not known."""


class BankConflicts:
    name = "bank-conflicts"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        source = read_source(candidate.source, candidate.entry_point)
        facts = saving.slowest_facts(evidence)
        if source is None:
            return []
        if facts is None:
            return [self._finding(k.name, _PRIOR, k.conflicts[0]) for k in source.kernels if k.conflicts]
        gpu, times = saving.gpu_of(facts), saving.expected(facts)
        findings = []
        for kernel in facts.kernels:
            written = source.kernel(kernel.name, kernel.line)
            if written is None or not written.conflicts or gpu is None or times is None:
                continue
            lost_ms = sum(_lost_ms(conflict, kernel, gpu) for conflict in written.conflicts) * kernel.launches
            saves = min(lost_ms / times.total_ms, 0.9 * saving.share_of_kernel(facts, kernel))
            if saves >= saving.NOTICEABLE:
                findings.append(self._finding(kernel.name, saves, written.conflicts[0]))
        return findings

    def _finding(self, name: str, saves: float, conflict: Conflict) -> Finding:
        return saving.finding(
            self.name,
            "memory",
            saves,
            f"kernel {name} uses {conflict.buffer} with all threads of a warp in one bank of shared memory",
            f"Let neighbouring threads use neighbouring elements of the last dimension of {conflict.buffer}, use "
            "T.copy or T.Parallel instead of own indices, or make its rows 4 values longer.",
            [("buffer", conflict.buffer), ("ways", float(BANKS))],
            conflict.line,
        )


def _lost_ms(conflict: Conflict, kernel: KernelFacts, gpu: Gpu) -> float:
    """A multiprocessor serves one bank's accesses one a clock, whatever blocks they are from."""
    times = conflict.times if conflict.times is not None else kernel.serial_depth or 1.0
    warps = math.ceil(kernel.block_threads / WARP_SIZE) * math.ceil(math.prod(kernel.grid) / gpu.sms)
    return times * (BANKS - 1) * warps / _CLOCK_HZ * 1e3
