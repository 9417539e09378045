"""An accumulator that leaves for device memory as it lies in registers.

What: a product stores its fragment to a 16-bit tensor by 32 bits or fewer a thread, not through shared memory.
Slow because: four lanes hold eight neighbouring values of a row, so that each store fills half of a 32-byte
sector and a warp's store touches eight rows; a tile in shared memory leaves as whole rows, by the TMA, in one
instruction.
Example: `T.copy(C_local, C[by * block_M, bx * block_N])` after a product over a short K of 32, where writing is
most of the work.
Instead: `C_shared = T.alloc_shared((block_M, block_N), "float16")`, `T.copy(C_local, C_shared)`, then
`T.copy(C_shared, C[...])`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from tilewright.analysis import saving
from tilewright.analysis.lines import call_lines
from tilewright.analysis.source import read_source
from tilewright.records import Candidate, Evidence, Facts, Finding, KernelFacts, Problem, TensorAccess

_NARROW_BITS = 32
_FILLED = 0.5
"""Of each sector that a store of an accumulator's pairs touches."""


class AccumulatorStoredDirectly:
    name = "accumulator-stored-directly"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        facts = saving.slowest_facts(evidence)
        source = read_source(candidate.source, candidate.entry_point)
        findings = []
        for kernel in facts.kernels if facts else ():
            stores = _narrow_stores(kernel)
            if facts is None or not stores or not kernel.matmul_flops or not kernel.uses_tensor_cores:
                continue
            saves = _saved(facts, kernel)
            if saves < saving.NOTICEABLE:
                continue
            written = source.kernel(kernel.name, kernel.line) if source else None
            copies = call_lines(source, written, ("copy",)) if source and written else []
            lines = [line for store in stores for line in store.lines] or copies[-1:]
            names = ", ".join(dict.fromkeys(store.tensor for store in stores if store.tensor)) or "its result"
            findings.append(
                saving.finding(
                    self.name,
                    "memory",
                    saves,
                    f"kernel {kernel.name} stores {names} out of the accumulator, by {_widest(stores)} bits a thread",
                    "Copy the accumulator to a T.alloc_shared tile of the output's type, and that tile with T.copy "
                    "to device memory.",
                    [("store_bits", float(_widest(stores)))],
                    lines[0] if lines else kernel.line,
                )
            )
        return findings


def _narrow_stores(kernel: KernelFacts) -> list[TensorAccess]:
    stores = [access for access in kernel.accesses or () if access.way == "store" and access.widths]
    return [access for access in stores if all(width <= _NARROW_BITS for width, _ in access.widths)]


def _widest(stores: Sequence[TensorAccess]) -> int:
    return max(width for store in stores for width, _ in store.widths)


def _saved(facts: Facts, kernel: KernelFacts) -> float:
    """Against the same kernel with sectors that are filled, as far as it stores."""
    stored = 2.0 * sum(math.prod(t.shape) for t in facts.outputs)
    moved = max(kernel.global_bytes or stored, stored)
    now = replace(kernel, coalescing=moved / (moved + stored / _FILLED - stored))
    kernels = tuple(now if k == kernel else k for k in facts.kernels)
    return saving.saved_by_kernel(replace(facts, kernels=kernels), now, coalescing=1.0)
