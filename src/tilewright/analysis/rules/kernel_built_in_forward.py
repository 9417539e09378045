"""A kernel is built on every call of forward.

What: forward calls the factory (`@tilelang.jit` over a function that returns a prim_func, or
`tilelang.compile`) each time instead of the kernel it made before.
Slow because: even when TileLang finds the compiled kernel in its cache, tracing and looking it up takes the
host milliseconds, many times what most kernels run.
Example: `kernel = matmul(M, N, K); return kernel(x, w)` in `forward`.
Instead: build it in `__init__` where the shapes are known, else keep it: `if shape not in self.kernels: ...`.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from tilewright.analysis import saving
from tilewright.analysis.source import CandidateSource, called_name, dotted, read_source, unguarded
from tilewright.records import Candidate, Evidence, Facts, Finding, Problem

_LOOK_UP_MS = 0.005
"""What is left on the GPU's clock of a look-up that the host makes while earlier work still runs: an assumption."""
_PRIOR = 0.8
"""What it saves where the facts are not known: a build takes milliseconds, a kernel mostly less."""


class KernelBuiltInForward:
    name = "kernel-built-in-forward"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        source = read_source(candidate.source, candidate.entry_point)
        line = _line(source) if source else None
        facts = saving.slowest_facts(evidence)
        if facts is None:
            return [self._finding(_PRIOR, [], line)] if line else []
        built = max(f.kernels_built_in_forward for f in evidence.facts)
        if built:
            return [self._finding(saving.saved(facts, kernels_built_in_forward=0), [("built", float(built))], line)]
        looked_up = self._looked_up(facts, line) if line else None
        return [looked_up] if looked_up and looked_up.saves >= saving.NOTICEABLE else []

    def _looked_up(self, facts: Facts, line: int) -> Finding:
        """The factory remembers its kernels, but each call of forward goes through it."""
        times = saving.expected(facts)
        saves = _LOOK_UP_MS / (_LOOK_UP_MS + times.total_ms) if times else 0.0
        return saving.finding(
            self.name,
            "host",
            saves,
            "forward asks the factory for its kernel on every call, which looks it up by all arguments",
            "Keep the kernel: self.kernel in __init__ where the shapes are known, else self.kernels by shape.",
            [("assumed_ms", _LOOK_UP_MS)],
            line,
        )

    def _finding(self, saves: float, numbers: Sequence[tuple[str, float | str]], line: int | None) -> Finding:
        count = f"{numbers[0][1]:.0f} kernels" if numbers and numbers[0][1] != 1.0 else "a kernel"
        return saving.finding(
            self.name,
            "host",
            saves,
            f"forward builds {count} on every call",
            "Build kernels in __init__, or keep them by shape: if key not in self.kernels: self.kernels[key] = ...",
            numbers,
            line,
        )


def _line(source: CandidateSource) -> int | None:
    """The first call of a factory in forward that runs each time."""
    if source.forward is None or source.forward.name in source.factories:
        return None
    for node in unguarded(source.forward):
        if not isinstance(node, ast.Call):
            continue
        if called_name(node) in source.factories or dotted(node.func).endswith("tilelang.compile"):
            return node.lineno
    return None
