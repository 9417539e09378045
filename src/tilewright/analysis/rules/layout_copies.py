"""forward copies its tensors into another order or size.

What: `permute(...).contiguous()`, `F.pad`, `cat`, `stack`, `repeat` or a clone of what is no parameter.
Slow because: each is a launch that reads and writes the whole tensor, without computing anything.
Example: `self.kernel(F.pad(x, (1, 1, 1, 1)))`, or `self.kernel(x.permute(0, 2, 3, 1).contiguous())`.
Instead: let the kernel index the tensor as it lies: the threads along the dimension that is contiguous, bounds
checked where padding would be (`T.if_then_else`), a transposed operand by `T.gemm(..., transpose_A=True)`.
"""

from __future__ import annotations

from collections.abc import Sequence

from tilewright.analysis import saving, torchops
from tilewright.analysis.rules.weights_prepared_in_forward import COPY_OPS, copied_parameters
from tilewright.analysis.source import CandidateSource, called_name, calls, read_source
from tilewright.records import Candidate, Evidence, Finding, Problem

_OPS = (COPY_OPS | {"im2col", "unfold", "index_select", "gather", "index", "repeat_interleave"}) - torchops.CASTS
_METHODS = _OPS | {"contiguous", "pad", "unfold", "tile", "concat"}


class LayoutCopies:
    name = "layout-copies"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        facts = saving.slowest_facts(evidence)
        source = read_source(candidate.source, candidate.entry_point)
        if facts is None or source is None:
            return []
        copies = torchops.counted(facts.torch_ops, _OPS)
        parameters = copied_parameters(source)
        count = sum(n for _, n in copies) - len(parameters)
        if count <= 0:
            return []
        launching = sum(n for _, n in torchops.launching(facts.torch_ops))
        left = tuple(op for op in facts.torch_ops if torchops.base_name(op[0]) not in _OPS)
        # Every operation is taken to move as much as any other: the facts hold their sum only.
        saves = saving.saved(facts, torch_ops=left, torch_bytes=facts.torch_bytes * (1 - count / launching))
        if saves < saving.NOTICEABLE:
            return []
        return [
            saving.finding(
                self.name,
                "host",
                saves,
                f"forward copies whole tensors before or after its kernels: {torchops.named(copies)}",
                "Read and write the tensors as they lie: index them in the kernel, check bounds instead of padding, "
                "and use T.gemm's transpose_A / transpose_B.",
                [("copies", float(count))],
                _line(source, parameters),
            )
        ]


def _line(source: CandidateSource, parameters: Sequence[int]) -> int | None:
    if source.forward is None:
        return None
    called = (call.lineno for call in calls(source.forward) if called_name(call) in _METHODS)
    return min((line for line in called if line not in parameters), default=None)
