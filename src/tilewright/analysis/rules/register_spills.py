"""Values that don't fit in registers and live in memory.

What: the compiler reports spills, so some of each thread's values are stored to and loaded from local memory.
Slow because: that is traffic through L1 and L2, in the middle of the arithmetic.
Example: a fragment of 128 x 256 fp32 values held by 128 threads is 256 registers a thread for it alone.
Instead: more threads for the tile, a smaller tile, fp16 for what needs no more, or less unrolling.
"""

from __future__ import annotations

from collections.abc import Sequence

from tilewright.analysis import saving
from tilewright.analysis.source import read_source
from tilewright.records import Candidate, Evidence, Finding, Problem

_AT_LEAST = 0.05
"""Spills stall the arithmetic around them too, which the time model doesn't see."""


class RegisterSpills:
    name = "register-spills"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        facts = saving.slowest_facts(evidence)
        source = read_source(candidate.source, candidate.entry_point)
        findings = []
        for kernel in facts.kernels if facts else ():
            if facts is None or not kernel.spill_bytes:
                continue
            written = source.kernel(kernel.name, kernel.line) if source else None
            loop = kernel.loop_instructions
            in_loops = loop.local_loads + loop.local_stores if loop else 0
            saves = saving.saved_by_kernel(facts, kernel, spill_bytes=0)
            findings.append(
                saving.finding(
                    self.name,
                    "compute",
                    max(saves, _AT_LEAST * saving.share_of_kernel(facts, kernel)),
                    f"kernel {kernel.name} spills {kernel.spill_bytes} bytes a thread"
                    + (f" at {kernel.registers} registers" if kernel.registers else "")
                    + (f", with {in_loops} loads and stores of them in loops" if in_loops else ""),
                    "Spread the tile over more threads or make it smaller, keep fragments in fp16 where they need no "
                    "more, unroll less.",
                    [
                        ("spill_bytes", float(kernel.spill_bytes)),
                        ("registers", float(kernel.registers or 0)),
                        ("in_loops", float(in_loops)),
                    ],
                    written.launch_line if written else kernel.line,
                )
            )
        return findings
