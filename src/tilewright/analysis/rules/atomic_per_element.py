"""One atomic operation for every element.

What: the kernel does many more atomics than it has blocks.
Slow because: atomics to one address queue up in L2, about one every 2 to 4 ns, while everything else waits.
Example: `T.atomic_add(out[0], diff * diff)` for each element of a loss.
Instead: reduce inside the block first (a fragment and `T.reduce_sum`, or one sum a thread), then one atomic a
block; or write one partial result a block and add those in a second small kernel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tilewright.analysis import saving
from tilewright.analysis.source import read_source
from tilewright.records import Candidate, Evidence, Finding, Problem

_MANY_PER_BLOCK = 8.0
_PRIOR = 0.6
"""What it saves where the kernel's facts are not known and a single element's atomic stands in a loop."""


class AtomicPerElement:
    name = "atomic-per-element"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        source = read_source(candidate.source, candidate.entry_point)
        facts = saving.slowest_facts(evidence)
        if facts is None:
            return [
                self._finding(k.name, _PRIOR, [], k.atomic_lines[0])
                for k in (source.kernels if source else ())
                if k.atomic_lines and any(loop.line <= k.atomic_lines[0] for loop in k.loops)
            ]
        findings = []
        for kernel in facts.kernels:
            blocks = math.prod(kernel.grid)
            atomics = kernel.atomics or 0.0
            outputs = sum(math.prod(t.shape) for t in facts.outputs)
            # A tile of partial results per block, added once, is the right use of atomics.
            if atomics <= _MANY_PER_BLOCK * blocks or atomics <= 2 * outputs:
                continue
            written = source.kernel(kernel.name, kernel.line) if source else None
            saves = saving.saved_by_kernel(facts, kernel, atomics=float(max(blocks, outputs)))
            if saves < saving.NOTICEABLE:
                continue
            numbers = [("atomics", atomics), ("blocks", float(blocks)), ("outputs", float(outputs))]
            line = written.atomic_lines[0] if written and written.atomic_lines else kernel.line
            findings.append(self._finding(kernel.name, saves, numbers, line))
        return findings

    def _finding(
        self, name: str, saves: float, numbers: Sequence[tuple[str, float | str]], line: int | None
    ) -> Finding:
        count = f"{numbers[0][1]:,.0f} atomics in {numbers[1][1]:,.0f} blocks" if numbers else "an atomic per element"
        return saving.finding(
            self.name,
            "algorithmic",
            saves,
            f"kernel {name} does {count}",
            "Add up inside the block first (a fragment and T.reduce_sum), then one atomic a block, or one partial "
            "result a block and a second small kernel.",
            numbers,
            line,
        )
