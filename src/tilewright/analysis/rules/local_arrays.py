"""Arrays of a thread that lie in memory.

What: a thread's own array is indexed by what is known at run time only, so the binary keeps it in local memory
(it has a stack, local loads and stores, and no spills).
Slow because: each access is a load or store through L1, 30 cycles and more where a register takes none.
Example: `window = T.alloc_local((16,), "float32")`, then `window[i % 9]` in a loop whose `i` is not unrolled.
Instead: constant indices (`T.unroll` the loop, shift the values on instead of turning the index), or shared
memory, where neighbouring threads lie side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tilewright.analysis import saving
from tilewright.analysis.lines import call_lines
from tilewright.analysis.source import read_source
from tilewright.records import Candidate, Evidence, Facts, Finding, KernelFacts, Problem

_AT_LEAST = 0.05
"""As of spills: what waits for those values stalls too, which the time model doesn't see."""


class LocalArrays:
    name = "local-arrays"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        facts = saving.slowest_facts(evidence)
        source = read_source(candidate.source, candidate.entry_point)
        findings = []
        for kernel in facts.kernels if facts else ():
            code = kernel.instructions
            if facts is None or code is None or not kernel.stack_bytes or kernel.spill_bytes or not code.local_loads:
                continue
            written = source.kernel(kernel.name, kernel.line) if source else None
            lines = call_lines(source, written, ("alloc_local",)) if source and written else []
            if written is not None and not lines:
                continue  # a stack of the compiler's own: the sine of huge angles, say, which is hardly ever run
            loop = kernel.loop_instructions
            in_loops = loop.local_loads + loop.local_stores if loop else 0
            findings.append(
                saving.finding(
                    self.name,
                    "memory",
                    max(_saved(facts, kernel), _AT_LEAST * saving.share_of_kernel(facts, kernel)),
                    f"kernel {kernel.name} keeps {kernel.stack_bytes} bytes a thread in local memory: "
                    f"{code.local_loads} loads and {code.local_stores} stores, {in_loops} of them in loops",
                    "Index the array by constants (T.unroll the loop around it), or keep it in shared memory.",
                    [
                        ("stack_bytes", float(kernel.stack_bytes)),
                        ("local_loads", float(code.local_loads)),
                        ("in_loops", float(in_loops)),
                    ],
                    lines[0] if lines else kernel.line,
                )
            )
        return findings


def _saved(facts: Facts, kernel: KernelFacts) -> float:
    """As if the array were spilled: the model knows what that costs."""
    now = replace(kernel, spill_bytes=kernel.stack_bytes)
    facts = replace(facts, kernels=tuple(now if k == kernel else k for k in facts.kernels))
    return saving.saved_by_kernel(facts, now, spill_bytes=0)
