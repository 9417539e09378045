"""The same values are read from device memory again and again, and nothing is kept in shared memory.

What: a kernel without shared memory asks for many times the bytes that its tensors hold.
Slow because: each repetition goes to the caches at best, with their latency, and competes for L2's bandwidth.
Example: a convolution or product in which each thread reads its whole row and column with `A[i, k] * B[k,
j]`.
Instead: give a block a tile of the output, copy the tiles of the inputs that it needs once with `T.copy(...,
A_shared)`, and read those from all threads.
"""

from __future__ import annotations

from collections.abc import Sequence

from tilewright.analysis import saving
from tilewright.analysis.model import stages_tiles
from tilewright.analysis.rules.matmul_without_tensor_cores import multiplies_on_scalar_units
from tilewright.analysis.source import read_source
from tilewright.records import Candidate, Evidence, Finding, KernelFacts, Problem

_OFTEN = 4.0
_TILE_REUSE = 16.0
"""How often a modest tile (32 x 32) saves a read."""


class NoSharedReuse:
    name = "no-shared-reuse"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        facts = saving.slowest_facts(evidence)
        if facts is None:
            return []
        source = read_source(candidate.source, candidate.entry_point)
        findings = []
        for kernel in facts.kernels:
            asked, held = kernel.global_bytes or 0.0, kernel.tensor_bytes or 0.0
            if not rereads_without_shared(kernel) or multiplies_on_scalar_units(facts, kernel):
                continue  # T.gemm has its operands in shared memory
            written = source.kernel(kernel.name, kernel.line) if source else None
            saves = saving.saved_by_kernel(facts, kernel, global_bytes=max(held, asked / _TILE_REUSE))
            if saves < saving.NOTICEABLE:
                continue
            findings.append(
                saving.finding(
                    self.name,
                    "memory",
                    saves,
                    f"kernel {kernel.name} asks for {asked / 1e6:.1f} MB of global memory where its tensors hold "
                    f"{held / 1e6:.1f} MB, and uses no shared memory",
                    "Tile the output over blocks, copy each input tile once into T.alloc_shared with T.copy, and "
                    "compute from there.",
                    [("global_bytes", asked), ("tensor_bytes", held), ("times_read", asked / held)],
                    written.access_lines[0] if written and written.access_lines else kernel.line,
                )
            )
        return findings


def rereads_without_shared(kernel: KernelFacts) -> bool:
    """Whether a kernel asks for its tensors' bytes many times over and has no shared memory to keep tiles in."""
    asked, held = kernel.global_bytes or 0.0, kernel.tensor_bytes or 0.0
    return held > 0 and not stages_tiles(kernel) and asked >= _OFTEN * held
