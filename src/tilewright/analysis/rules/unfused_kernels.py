"""Several TileLang kernels after each other that could be one.

What: one forward launches two or more TileLang kernels, and one of two neighbours goes element by element, or both
reduce what the same blocks own.
Slow because: each launch costs 2 to 3 us, and what one kernel hands to the next goes through device memory.
Example: `relu(add_bias(matmul(x, w), bias))`, each a kernel of its own.
Instead: work on the accumulator fragment before it is stored (the epilogue of the first kernel), or keep the
intermediate in shared memory. A reduction over the whole grid does need a second kernel, and so does a product
of a product: they are left alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from tilewright.analysis import saving
from tilewright.analysis.coefficients import coefficients
from tilewright.analysis.limit import compulsory_bytes
from tilewright.analysis.rules.launches_in_a_loop import LaunchesInALoop
from tilewright.analysis.source import CandidateSource, read_source
from tilewright.records import Candidate, Evidence, Facts, Finding, KernelFacts, Problem

_PRODUCT = "Fuse them: apply what follows to the product's accumulator fragment before it is stored."
_ROWS = (
    "Fuse them: let a block go through all steps with its rows or its tile, which it keeps in a fragment or in "
    "shared memory from one step to the next."
)


class UnfusedKernels:
    name = "unfused-kernels"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        facts = saving.slowest_facts(evidence)
        gpu = saving.gpu_of(facts) if facts else None
        times = saving.expected(facts) if facts else None
        if facts is None or gpu is None or times is None:
            return []
        source = read_source(candidate.source, candidate.entry_point)
        launches = sum(kernel.launches for kernel in facts.kernels)
        needless = needless_launches(facts, source)
        if LaunchesInALoop().find(candidate, problem, evidence):  # which says what to do of those
            needless -= sum(kernel.launches - 1 for kernel in facts.kernels if not _combines(kernel, source))
        if needless <= 0:
            return []
        border = compulsory_bytes(facts)
        # A product reads its operands again and again; of each kernel only the first time can be an intermediate's.
        moved = sum(min(k.global_bytes or 0.0, 2 * border) * k.launches for k in facts.kernels if not k.matmul_flops)
        matmuls = sum(k.launches for k in facts.kernels if k.matmul_flops)
        intermediate = (moved if matmuls else max(0.0, moved - border)) * needless / (launches - 1)
        spent_ms = needless * coefficients().launch_us * 1e-3 + intermediate / gpu.memory_bytes_per_s * 1e3
        second = facts.kernels[1] if len(facts.kernels) > 1 else facts.kernels[0]
        written = source.kernel(second.name, second.line) if source else None
        return [
            saving.finding(
                self.name,
                "algorithmic",
                min(0.9, spent_ms / times.total_ms),
                f"one forward launches {launches} TileLang kernels, which move about {intermediate / 1e6:.1f} MB "
                "that one kernel would keep",
                _PRODUCT if matmuls else _ROWS,
                [
                    ("launches", float(launches)),
                    ("needless", float(needless)),
                    ("intermediate_bytes", intermediate),
                ],
                written.line if written else second.line,
            )
        ]


def needless_launches(facts: Facts, source: CandidateSource | None) -> int:
    """How many of the launches of TileLang kernels could be part of the one before or after them."""
    pairs = zip(facts.kernels, facts.kernels[1:])
    repeated = sum(k.launches - 1 for k in facts.kernels if not _combines(k, source))
    return repeated + sum(_could_be_one(facts, before, after, source) for before, after in pairs)


def _could_be_one(facts: Facts, before: KernelFacts, after: KernelFacts, source: CandidateSource | None) -> bool:
    """An element-wise kernel joins any neighbour. Of two that combine values, a block can only go on with what it
    made itself: the grids are alike, and no weights decide which values go where."""
    if not _combines(before, source) or not _combines(after, source):
        return True
    products = bool(before.matmul_flops or after.matmul_flops)
    weights = sum(t.bytes for t in facts.parameters)
    return before.grid == after.grid and not products and weights < sum(t.bytes for t in facts.inputs)


def _combines(kernel: KernelFacts, source: CandidateSource | None) -> bool:
    """Whether an element of its result depends on several elements."""
    written = source.kernel(kernel.name, kernel.line) if source else None
    return bool(kernel.matmul_flops) or (written is not None and written.reduces)
