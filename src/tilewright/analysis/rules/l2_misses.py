"""What is read again comes from device memory again.

What: by the hardware counters a kernel that reads its operands several times misses L2, and reads far more from
device memory than the tensors hold.
Slow because: L2 has several times the bandwidth of device memory; it holds what the blocks that run together
share, and these blocks share too little.
Example: a product whose blocks run along a row of 256 tiles: by the second row all of B has left the 50 MB of
L2.
Instead: `T.use_swizzle(8)`, so that neighbouring blocks form a square of tiles, larger tiles (fewer rereads), or
the faster block index along the operand that is larger.
"""

from __future__ import annotations

from collections.abc import Sequence

from tilewright.analysis import saving
from tilewright.analysis.limit import compulsory_bytes
from tilewright.analysis.source import read_source
from tilewright.records import Candidate, Evidence, Facts, Finding, KernelFacts, KernelRun, Problem, RunFacts

_MANY_MISSES = 60.0
"""Per cent of accesses that hit: tiles that neighbours share hit in 70 to 90 %."""
_AGAIN = 1.5
_BUSY = 50.0
"""Per cent of its peak: below this device memory is not what the kernel waits for."""


class L2Misses:
    name = "l2-misses"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        source = read_source(candidate.source, candidate.entry_point)
        findings = []
        for facts, kernel, run, counted in _counted(evidence):
            counters = dict(counted.counters)
            hits, read = counters.get("l2_hit"), counters.get("dram_read_bytes")
            busy = counters.get("dram_throughput", 0.0)
            held = kernel.tensor_bytes or compulsory_bytes(facts)
            rereads = (kernel.global_bytes or 0.0) >= _AGAIN * held
            if hits is None or not read or hits >= _MANY_MISSES or busy < _BUSY or not rereads:
                continue
            if read < _AGAIN * held or not run.device_ms:
                continue
            written_back = counters.get("dram_write_bytes", 0.0)
            share = counted.device_ms / run.device_ms
            saves = share * min(1.0, busy / 100) * (read - held) / (read + written_back)
            if saves < saving.NOTICEABLE:
                continue
            written = source.kernel(kernel.name, kernel.line) if source else None
            findings.append(
                saving.finding(
                    self.name,
                    "memory",
                    saves,
                    f"kernel {kernel.name} reads {read / 1e6:.0f} MB from device memory for tensors of "
                    f"{held / 1e6:.0f} MB: {hits:.0f} % of its accesses hit L2",
                    "Let blocks that run together share operands: T.use_swizzle(8), larger tiles, or another order "
                    "of the block indices.",
                    [("l2_hit", hits), ("dram_read_bytes", read), ("tensor_bytes", held)],
                    written.launch_line if written else kernel.line,
                )
            )
        return findings


def _counted(evidence: Evidence) -> list[tuple[Facts, KernelFacts, RunFacts, KernelRun]]:
    """The candidate's kernels whose counters were read, with their facts. TileLang calls `f` in the source `f` or
    `f_kernel` on the device."""
    by_workload = {facts.workload: facts for facts in evidence.facts}
    found = []
    for run in evidence.runs:
        facts = by_workload.get(run.workload)
        if facts is None:
            continue
        for one in run.kernels:
            name = one.name.split("(")[0]
            alike = [kernel for kernel in facts.kernels if name in (kernel.name, f"{kernel.name}_kernel")]
            if one.own and one.counters and len(alike) == 1:
                found.append((facts, alike[0], run, one))
    return found
