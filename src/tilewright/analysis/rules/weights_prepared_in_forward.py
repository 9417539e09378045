"""forward prepares its parameters anew on every call.

What: parameters are transposed, reordered, concatenated, flipped or copied in forward.
Slow because: the answer is the same on every call; each step is a launch and a pass over the weights.
Example: `w = self.linear.weight.t().contiguous()` in `forward`.
Instead: read the parameter as it lies (`T.gemm(..., transpose_B=True)`), or prepare it once. A prepared copy
has to follow the parameter when that changes, so keep it only where the weights are fixed, keyed by
`weight._version`.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from tilewright.analysis import saving, torchops
from tilewright.analysis.source import CandidateSource, called_name, read_source, unguarded
from tilewright.records import Candidate, Evidence, Finding, Problem

_COPYING = {"contiguous", "clone", "flip", "cat", "stack", "pad", "repeat", "float", "half", "bfloat16", "roll"}
COPY_OPS = frozenset({"clone", "copy", "cat", "stack", "flip", "constant_pad_nd", "repeat", "roll", "_to_copy"})
_PARAMETERS = ("weight", "bias", "gamma", "beta", "kernel_weight")
_PRIOR = 0.1
"""What it saves where the facts are not known."""


class WeightsPreparedInForward:
    name = "weights-prepared-in-forward"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        source = read_source(candidate.source, candidate.entry_point)
        if source is None:
            return []
        lines = copied_parameters(source)
        if not lines:
            return []
        facts = saving.slowest_facts(evidence)
        saves = _PRIOR
        if facts is not None:
            copies = torchops.counted(facts.torch_ops, COPY_OPS)
            if not copies:
                return []  # `contiguous` of what is contiguous costs nothing
            copied = sum(n for _, n in copies)
            left = tuple(op for op in facts.torch_ops if torchops.base_name(op[0]) not in COPY_OPS)
            weights = float(sum(t.bytes for t in facts.parameters))
            kept = max(0.0, facts.torch_bytes - 2 * weights)
            saves = saving.saved(facts, torch_ops=left, torch_bytes=kept) * min(1.0, len(lines) / copied)
        if saves < saving.NOTICEABLE:
            return []
        return [
            saving.finding(
                self.name,
                "host",
                saves,
                f"forward copies or reorders parameters on every call, in {len(lines)} places",
                "Read the parameter as it lies (T.gemm with transpose_B=True, an index of its own order), or prepare "
                "it once in __init__.",
                [("places", float(len(lines)))],
                lines[0],
            )
        ]


def copied_parameters(source: CandidateSource) -> list[int]:
    """The lines of the calls in forward that copy or reorder a parameter each time."""
    if source.forward is None:
        return []
    always = (node for node in unguarded(source.forward) if isinstance(node, ast.Call))
    return sorted(call.lineno for call in always if _copies_weights(call))


def _copies_weights(call: ast.Call) -> bool:
    """A copying call on an attribute of self that is named like a parameter."""
    if called_name(call) not in _COPYING:
        return False
    for node in ast.walk(call):
        if isinstance(node, ast.Attribute) and node.attr.lower().endswith(_PARAMETERS):
            root: ast.AST = node
            while isinstance(root, ast.Attribute):
                root = root.value
            if isinstance(root, ast.Name) and root.id == "self":
                return True
    return False
