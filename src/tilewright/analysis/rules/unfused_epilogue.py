"""PyTorch operations around the kernel that a kernel could do on the way.

What: forward also runs element-wise operations, norms or reductions of PyTorch.
Slow because: each is a launch and goes through device memory twice for a little arithmetic.
Example: `torch.relu(self.kernel(x, w) + self.bias)`.
Instead: do them on the accumulator fragment inside the kernel, before the result is stored (`T.Parallel` over
the fragment), or on the tile as it is loaded.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from tilewright.analysis import saving, torchops
from tilewright.analysis.source import CandidateSource, called_name, calls, read_source
from tilewright.records import Candidate, Evidence, Finding, Problem

_FUSABLE = torchops.ELEMENTWISE | torchops.NORMS_AND_REDUCTIONS
_SHARE_BESIDE_HEAVY = 0.5
"""Of PyTorch's bytes, what the fusable operations are taken to move where heavy ones move the rest."""


class UnfusedEpilogue:
    name = "unfused-epilogue"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        facts = saving.slowest_facts(evidence)
        if facts is None or not facts.kernels:
            return []
        fusable = torchops.counted(facts.torch_ops, _FUSABLE)
        if not fusable:
            return []
        heavy = torchops.counted(facts.torch_ops, torchops.HEAVY)
        left = tuple(op for op in facts.torch_ops if torchops.base_name(op[0]) not in _FUSABLE)
        kept_bytes = facts.torch_bytes * (1 - _SHARE_BESIDE_HEAVY) if heavy else 0.0
        saves = saving.saved(facts, torch_ops=left, torch_bytes=kept_bytes)
        if saves < saving.NOTICEABLE:
            return []
        source = read_source(candidate.source, candidate.entry_point)
        return [
            saving.finding(
                self.name,
                "algorithmic",
                saves,
                f"forward leaves {torchops.named(fusable)} to PyTorch: a launch and a way through device memory "
                "for each",
                "Do them inside the kernel: on the accumulator fragment with T.Parallel before the final T.copy, or "
                "on the input tile after it was loaded.",
                [("operations", torchops.named(fusable)), ("count", float(sum(n for _, n in fusable)))],
                _line(source, {name for name, _ in fusable}) if source else None,
            )
        ]


def _line(source: CandidateSource, names: set[str]) -> int | None:
    if source.forward is None:
        return None
    called = [c.lineno for c in calls(source.forward) if torchops.base_name(called_name(c)) in names]
    operators = [n.lineno for n in ast.walk(source.forward) if isinstance(n, ast.BinOp)]
    return min(called or operators, default=source.forward.lineno)
