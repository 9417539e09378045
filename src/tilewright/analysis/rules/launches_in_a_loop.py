"""The same kernel is launched again and again, for slices that don't depend on each other.

What: a Python loop in forward calls a kernel, and no call needs what the one before it returned.
Slow because: each launch costs 2 to 3 us and fills the GPU with one slice's work at best, while the next slice
waits.
Example: `for b in range(batch): out[b] = self.kernel(x[b], y[b])`.
Instead: one launch whose grid has the loop as a dimension: `T.Kernel(..., batch)`.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Sequence
from dataclasses import replace

from tilewright.analysis import saving
from tilewright.analysis.source import CandidateSource, read_source
from tilewright.records import Candidate, Evidence, Finding, KernelFacts, Problem

_STATEMENTS = (ast.For, ast.While)
_EXPRESSIONS = (ast.ListComp, ast.GeneratorExp)


class LaunchesInALoop:
    name = "launches-in-a-loop"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        facts = saving.slowest_facts(evidence)
        source = read_source(candidate.source, candidate.entry_point)
        line = _independent_loop(source) if source else None
        if facts is None or line is None:
            return []
        repeated = [kernel for kernel in facts.kernels if kernel.launches > 1]
        saves = saving.saved(facts, kernels=tuple(map(_at_once, facts.kernels)))
        if not repeated or saves < saving.NOTICEABLE:
            return []
        most = max(repeated, key=lambda kernel: kernel.launches)
        return [
            saving.finding(
                self.name,
                "host",
                saves,
                f"forward launches kernel {most.name} {most.launches} times in a loop",
                "Make the loop a dimension of the grid (T.Kernel(..., batch)) and launch once.",
                [("launches", float(most.launches)), ("blocks_each", float(math.prod(most.grid)))],
                line,
            )
        ]


def _at_once(kernel: KernelFacts) -> KernelFacts:
    n = kernel.launches
    return replace(
        kernel,
        launches=1,
        grid=(math.prod(kernel.grid) * n,),
        flops=(kernel.flops or 0.0) * n,
        matmul_flops=(kernel.matmul_flops or 0.0) * n,
        global_bytes=None if kernel.global_bytes is None else kernel.global_bytes * n,
        atomics=(kernel.atomics or 0.0) * n,
    )


def _independent_loop(source: CandidateSource) -> int | None:
    """The first loop in forward that calls something and hands nothing on from turn to turn."""
    for loop in ast.walk(source.forward) if source.forward else ():
        if isinstance(loop, _STATEMENTS):
            body = [node for statement in loop.body for node in ast.walk(statement)]
        elif isinstance(loop, _EXPRESSIONS):
            body = list(ast.walk(loop.elt))
        else:
            continue
        if any(isinstance(node, ast.Call) for node in body) and not _hands_on(body):
            return loop.lineno
    return None


def _hands_on(body: Sequence[ast.AST]) -> bool:
    """`h = cell(h, x[t])`: a name is assigned what a call makes of it."""
    for node in body:
        if isinstance(node, ast.Assign):
            set_here = {n.id for t in node.targets if not isinstance(t, ast.Subscript) for n in _names(t)}
            if set_here & {n.id for call in ast.walk(node.value) if isinstance(call, ast.Call) for n in _names(call)}:
                return True
    return False


def _names(node: ast.AST) -> list[ast.Name]:
    return [n for n in ast.walk(node) if isinstance(n, ast.Name)]
