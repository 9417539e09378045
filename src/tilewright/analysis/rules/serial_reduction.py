"""A long chain of iterations that one thread goes through alone.

What: a thread's longest chain of dependent iterations runs into the hundreds, and its latency is what the
kernel waits for; often a whole row is summed by one thread, or by `if tx == 0`.
Slow because: each iteration waits for the one before it, so the chain takes its length times the latency
however many units are idle.
Example: `for j in T.serial(16384): acc[0] += X[row, j]` in each thread, or in thread 0.
Instead: all threads of a block share a row: `T.copy` a tile into a fragment, `T.reduce_sum` it (a tree over
the threads), few iterations with a wide tile each; for long rows of few, several blocks a row.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tilewright.analysis import saving
from tilewright.analysis.source import KernelSource, read_source
from tilewright.records import Candidate, Evidence, Facts, Finding, KernelFacts, Problem

_LONG = 64.0
_SHARED_BY = 32.0
"""The threads of a warp at least can share a chain."""
_PRIOR_ONE_THREAD = 0.5
"""What it saves where the kernel's facts are not known and one thread of a block works alone."""


class SerialReduction:
    name = "serial-reduction"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        source = read_source(candidate.source, candidate.entry_point)
        facts = saving.slowest_facts(evidence)
        times = saving.expected(facts) if facts else None
        if facts is None or times is None:
            written = source.kernels if source else ()
            return [
                self._finding(k.name, _PRIOR_ONE_THREAD, None, k)
                for k in written
                if any(loop.in_one_thread for loop in k.loops)
            ]
        findings = []
        for kernel, time in zip(facts.kernels, times.kernels):
            depth = kernel.serial_depth or 0.0
            if depth < _LONG or kernel.matmul_flops or time.latency_ms < 0.3 * time.total_ms:
                continue
            found = source.kernel(kernel.name, kernel.line) if source else None
            saves = _saved(facts, kernel, depth, found)
            if saves < saving.NOTICEABLE:
                continue
            findings.append(self._finding(kernel.name, saves, depth, found))
        return findings

    def _finding(self, name: str, saves: float, depth: float | None, written: KernelSource | None) -> Finding:
        loops = written.loops if written else ()
        alone = next((loop for loop in loops if loop.in_one_thread and loop.kind == "serial"), None)
        loop = alone or next((loop for loop in loops if loop.kind == "serial"), None)
        chain = f"a chain of {depth:.0f} iterations" if depth is not None else "a loop"
        return saving.finding(
            self.name,
            "algorithmic",
            saves,
            f"kernel {name} runs {chain} in one thread" + (" while the block's others wait" if alone else ""),
            "Share the loop among the block's threads: T.copy a tile into a fragment and T.reduce_sum / T.reduce_max "
            "it, or one partial result a thread and T.alloc_reducer; split long rows over several blocks.",
            [("serial_depth", depth)] if depth is not None else [],
            loop.line if loop else (written.line if written else None),
        )


def _saved(facts: Facts, kernel: KernelFacts, depth: float, written: KernelSource | None) -> float:
    """A chain that one thread of a block goes through is shared with the others of it; where each thread has a chain
    of its own, a warp shares each, and there are that many more warps."""
    if written is not None and any(loop.in_one_thread for loop in written.loops):
        return saving.saved_by_kernel(facts, kernel, serial_depth=max(1.0, depth / kernel.block_threads))
    if written is not None and written.copies_tiles:
        return 0.0  # its threads share the loop already
    grid = (math.ceil(math.prod(kernel.grid) * _SHARED_BY),)
    return saving.saved_by_kernel(facts, kernel, grid=grid, serial_depth=max(1.0, depth / _SHARED_BY))
