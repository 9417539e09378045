"""Too few threads are resident to hide the latency of memory and arithmetic.

What: under a quarter of the threads that a multiprocessor could hold, in a kernel that has nothing
asynchronous.
Slow because: a warp that waits needs others to run meanwhile.
Example: 200 registers a thread, or 100 KB of shared memory for a block of 64 threads.
Instead: take away what limits it (the finding says what): smaller fragments or `T.annotate_min_blocks_per_sm`
for registers, smaller or fewer shared buffers for shared memory, more threads a block for block slots. A
pipelined product with wide tiles runs well at low occupancy: its copies are asynchronous.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tilewright.analysis import saving
from tilewright.analysis.source import read_source
from tilewright.records import Candidate, Evidence, Finding, Problem

_LOW = 0.25
_AIM = 0.5


class LowOccupancy:
    name = "low-occupancy"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        facts = saving.slowest_facts(evidence)
        gpu = saving.gpu_of(facts) if facts else None
        if facts is None or gpu is None:
            return []
        source = read_source(candidate.source, candidate.entry_point)
        findings = []
        for kernel in facts.kernels:
            if kernel.occupancy is None or kernel.occupancy >= _LOW or kernel.asynchronous_copies:
                continue
            if kernel.matmul_flops and kernel.uses_tensor_cores:
                continue  # its accumulators fill the registers on purpose: `no-pipelining` says what hides latency
            per_sm = max(1, math.floor(_AIM * gpu.max_threads_per_sm / kernel.block_threads))
            blocks = math.prod(kernel.grid)
            if blocks < gpu.sms:
                continue  # the grid is what is too small, not what fits
            grid = (max(blocks, gpu.sms * per_sm),)  # a block that holds less is one of more
            saves = saving.saved_by_kernel(facts, kernel, occupancy=_AIM, blocks_per_sm=per_sm, grid=grid)
            if saves < saving.NOTICEABLE:
                continue
            written = source.kernel(kernel.name, kernel.line) if source else None
            limited = f", limited by {kernel.limited_by}" if kernel.limited_by else ""
            findings.append(
                saving.finding(
                    self.name,
                    "parallelism",
                    saves,
                    f"kernel {kernel.name} reaches an occupancy of {kernel.occupancy:.0%}{limited}",
                    _action(kernel.limited_by),
                    [
                        ("occupancy", kernel.occupancy),
                        ("limited_by", kernel.limited_by),
                        ("registers", float(kernel.registers or 0)),
                        ("shared_bytes", float(kernel.shared_bytes)),
                    ],
                    written.launch_line if written else kernel.line,
                )
            )
        return findings


def _action(limited_by: str) -> str:
    if "register" in limited_by:
        return "Use fewer registers: smaller fragments, more threads a tile, or T.annotate_min_blocks_per_sm."
    if "shared" in limited_by:
        return "Use less shared memory: smaller tiles, fewer stages, reuse of a buffer."
    return "Use more threads a block, so that the limit of blocks per multiprocessor isn't what decides."
