"""A long chain of iterations that one thread goes through alone.

What: a thread's longest chain of dependent iterations runs into the hundreds, and its latency is what the
kernel waits for; often a whole row is summed by one thread, or by `if tx == 0`.
Slow because: each iteration waits for the one before it, so the chain takes its length times the latency
however many units are idle.
Example: `for j in T.serial(16384): acc[0] += X[row, j]` in each thread, or in thread 0.
Instead: all threads of a block share a row: `T.copy` a tile into a fragment, `T.reduce_sum` it (a tree over
the threads), few iterations with a wide tile each; for long rows of few, several blocks a row. A loop that stores its
sum in every step is a scan: `T.cumsum` of tiles, or partial sums and a second walk.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Sequence

from tilewright.analysis import saving
from tilewright.analysis.lines import function_of
from tilewright.analysis.source import CandidateSource, KernelSource, called_name, read_source
from tilewright.records import Candidate, Evidence, Facts, Finding, KernelFacts, Problem

_LONG = 64.0
_SHARED_BY = 32.0
"""The threads of a warp at least can share a chain."""
_PRIOR_ONE_THREAD = 0.5
"""What it saves where the kernel's facts are not known and one thread of a block works alone."""
_REDUCTION = (
    "Share the loop among the block's threads: T.copy a tile into a fragment and T.reduce_sum / T.reduce_max it, or "
    "one partial result a thread and T.alloc_reducer; split long rows over several blocks."
)
_SCAN = (
    "The loop stores its running value in each step: it is a scan. T.copy a tile to shared memory, T.cumsum it "
    "(threads=32, 64, 128, 256, 512 or 1024 only) and carry the total of the tiles before; or let each thread first "
    "take its part's total, and walk the part a second time from what stands before it."
)


class SerialReduction:
    name = "serial-reduction"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        source = read_source(candidate.source, candidate.entry_point)
        facts = saving.slowest_facts(evidence)
        times = saving.expected(facts) if facts else None
        if facts is None or times is None:
            written = source.kernels if source else ()
            return [
                self._finding(k.name, _PRIOR_ONE_THREAD, None, k, is_scan(source, k))
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
            findings.append(self._finding(kernel.name, saves, depth, found, is_scan(source, found)))
        return findings

    def _finding(
        self, name: str, saves: float, depth: float | None, written: KernelSource | None, scan: bool
    ) -> Finding:
        loops = written.loops if written else ()
        alone = next((loop for loop in loops if loop.in_one_thread and loop.kind == "serial"), None)
        loop = alone or next((loop for loop in loops if loop.kind == "serial"), None)
        chain = f"a chain of {depth:.0f} iterations" if depth is not None else "a loop"
        return saving.finding(
            self.name,
            "algorithmic",
            saves,
            f"kernel {name} runs {chain} in one thread" + (" while the block's others wait" if alone else ""),
            _SCAN if scan else _REDUCTION,
            [("serial_depth", depth)] if depth is not None else [],
            loop.line if loop else (written.line if written else None),
        )


def is_scan(source: CandidateSource | None, written: KernelSource | None) -> bool:
    """Whether a loop carries a value on and stores it, in the same step, to where its own variable says."""
    function = function_of(source, written) if source and written else None
    return function is not None and any(
        isinstance(n, ast.For) and not _is_parallel(n) and _stores_what_it_carries(n) for n in ast.walk(function)
    )


def _stores_what_it_carries(loop: ast.For) -> bool:
    variables = _names(loop.target)
    carried, stored = set(), set()
    for step in _own(loop):
        if not isinstance(step, (ast.Assign, ast.AugAssign)):
            continue
        target = step.target if isinstance(step, ast.AugAssign) else step.targets[0]
        base = target.value if isinstance(target, ast.Subscript) else target
        if _names(target) & variables:
            stored |= _names(step.value)
        elif isinstance(step, ast.AugAssign) or ast.unparse(target) in ast.unparse(step.value):
            carried |= _names(base)
    return bool(carried & stored)


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """What a loop runs in each step, without the steps of loops inside it; the threads share a T.Parallel out."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.For) or _is_parallel(child):
            yield child
            yield from _own(child)


def _is_parallel(loop: ast.For) -> bool:
    return isinstance(loop.iter, ast.Call) and called_name(loop.iter) == "Parallel"


def _names(node: ast.AST) -> set[str]:
    return {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}


def _saved(facts: Facts, kernel: KernelFacts, depth: float, written: KernelSource | None) -> float:
    """A chain that one thread of a block goes through is shared with the others of it; where each thread has a chain
    of its own, a warp shares each, and there are that many more warps."""
    if written is not None and any(loop.in_one_thread for loop in written.loops):
        return saving.saved_by_kernel(facts, kernel, serial_depth=max(1.0, depth / kernel.block_threads))
    if written is not None and written.copies_tiles:
        return 0.0  # its threads share the loop already
    grid = (math.ceil(math.prod(kernel.grid) * _SHARED_BY),)
    return saving.saved_by_kernel(facts, kernel, grid=grid, serial_depth=max(1.0, depth / _SHARED_BY))
