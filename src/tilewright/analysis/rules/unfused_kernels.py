"""Several TileLang kernels after each other that could be one.

What: one forward launches two or more TileLang kernels.
Slow because: each launch costs 2 to 3 us, and what one kernel hands to the next goes through device memory.
Example: a product, then a kernel for the bias, then one for the activation.
Instead: work on the accumulator fragment before it is stored (the epilogue of the first kernel), or keep the
intermediate in shared memory. A reduction over the whole grid does need a second kernel.
"""

from __future__ import annotations

from collections.abc import Sequence

from tilewright.analysis import saving
from tilewright.analysis.coefficients import coefficients
from tilewright.analysis.roofline import compulsory_bytes
from tilewright.analysis.source import read_source
from tilewright.records import Candidate, Evidence, Finding, Problem


class UnfusedKernels:
    name = "unfused-kernels"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        facts = saving.slowest_facts(evidence)
        gpu = saving.gpu_of(facts) if facts else None
        times = saving.expected(facts) if facts else None
        if facts is None or gpu is None or times is None:
            return []
        launches = sum(kernel.launches for kernel in facts.kernels)
        if launches < 2:
            return []
        border = compulsory_bytes(facts)
        # A product reads its operands again and again; of each kernel only the first time can be an intermediate's.
        moved = sum(min(k.global_bytes or 0.0, 2 * border) * k.launches for k in facts.kernels if not k.matmul_flops)
        matmuls = sum(k.launches for k in facts.kernels if k.matmul_flops)
        intermediate = moved if matmuls else max(0.0, moved - border)
        spent_ms = (launches - 1) * coefficients().launch_us * 1e-3 + intermediate / gpu.memory_bytes_per_s * 1e3
        source = read_source(candidate.source, candidate.entry_point)
        second = facts.kernels[1] if len(facts.kernels) > 1 else facts.kernels[0]
        written = source.kernel(second.name, second.line) if source else None
        return [
            saving.finding(
                self.name,
                "algorithmic",
                min(0.9, spent_ms / times.total_ms),
                f"one forward launches {launches} TileLang kernels, which hand about {intermediate / 1e6:.1f} MB to "
                "each other through device memory",
                "Fuse them: apply what follows to the accumulator fragment before it is stored, or keep the "
                "intermediate in shared memory.",
                [("launches", float(launches)), ("intermediate_bytes", intermediate)],
                written.line if written else second.line,
            )
        ]
