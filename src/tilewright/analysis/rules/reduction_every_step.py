"""A reduction over the whole block in every step of a loop.

What: `T.reduce_sum` or another reduction stands inside the loop over tiles (one without a product).
Slow because: each is shuffles and barriers, about a tenth of a microsecond in which the block's loads wait too; a
loop of thousands of steps pays it thousands of times.
Example: `for k in T.serial(n // 512): ...; T.reduce_sum(tile, total, dim=1, clear=False)`.
Instead: let each thread add to its own elements of a fragment with the tile's shape (`partial[i, j] += x[...]` in
`T.Parallel`), and reduce that once behind the loop.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tilewright.analysis import saving
from tilewright.analysis.model import blocks_per_sm
from tilewright.analysis.source import read_source
from tilewright.records import Candidate, Evidence, Finding, Problem

_REDUCTION_NS = 100.0
"""Five shuffles and two barriers: an assumption."""
_STEPS = 4.0
_AT_MOST = 0.5
"""What the loop moves and computes stays."""
_PRIOR = 0.1
"""What it saves where the kernel's facts are not known."""


class ReductionEveryStep:
    name = "reduction-every-step"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        source = read_source(candidate.source, candidate.entry_point)
        facts = saving.slowest_facts(evidence)
        if source is None:
            return []
        if facts is None:
            looped = [k for k in source.kernels if k.reductions_in_loops]
            return [self._finding(k.name, _PRIOR, None, k.reductions_in_loops[0]) for k in looped]
        gpu, times = saving.gpu_of(facts), saving.expected(facts)
        findings = []
        for kernel in facts.kernels:
            written = source.kernel(kernel.name, kernel.line)
            steps = kernel.serial_depth or 0.0
            if gpu is None or times is None or written is None or not written.reductions_in_loops or steps < _STEPS:
                continue
            waves = math.ceil(math.prod(kernel.grid) / (gpu.sms * blocks_per_sm(kernel, gpu)))
            spent_ms = steps * waves * kernel.launches * _REDUCTION_NS * 1e-6
            saves = min(spent_ms / times.total_ms, _AT_MOST * saving.share_of_kernel(facts, kernel))
            if saves >= saving.NOTICEABLE:
                findings.append(self._finding(kernel.name, saves, steps, written.reductions_in_loops[0]))
        return findings

    def _finding(self, name: str, saves: float, steps: float | None, line: int) -> Finding:
        # Not of this loop alone: what the facts have is the depth of the whole kernel.
        count = (
            f"; a thread's longest chain of steps is {steps:.0f} (nested loops multiplied, consecutive ones added)"
            if steps is not None
            else ""
        )
        return saving.finding(
            self.name,
            "algorithmic",
            saves,
            f"kernel {name} reduces over the whole block in every step of a loop{count}",
            "Add to a fragment of the tile's shape in the loop (each thread its own elements), and reduce that once "
            "behind it; a larger tile means fewer steps.",
            [("steps", steps)] if steps is not None else [],
            line,
        )
