"""The heavy work is left to PyTorch's library.

What: a convolution, matrix product or attention of the problem runs as a PyTorch operation; TileLang does the
rest.
Slow because: it need not be. The library's kernel is good, but the intermediate crosses device memory, and
what is left for TileLang is a small share of the time.
Example: `y = F.conv_transpose2d(x, ...)`, then a TileLang kernel for pooling and activation.
Instead: fuse across the border: the epilogue into an own product, or less of the intermediate (when pooling,
a mean or a sum follows a linear operation, much of it cancels or can be done on the smaller side first).
"""

from __future__ import annotations

from collections.abc import Sequence

from tilewright.analysis import saving, torchops
from tilewright.analysis.source import called_name, calls, read_source
from tilewright.records import Candidate, Evidence, Finding, Problem

_WITHIN_REACH = 0.3
"""Of the library's time, what fusing it with the rest saves at a good end."""


class LibraryCompute:
    name = "library-compute"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        facts = saving.slowest_facts(evidence)
        times = saving.expected(facts) if facts else None
        heavy = torchops.counted(facts.torch_ops, torchops.HEAVY) if facts else []
        if facts is None or times is None or not heavy:
            return []
        share = dict(times.parts)["torch"] / times.total_ms
        if share * _WITHIN_REACH < saving.NOTICEABLE:
            return []
        source = read_source(candidate.source, candidate.entry_point)
        names = {name for name, _ in heavy}
        called = calls(source.forward) if source and source.forward else ()
        lines = [call.lineno for call in called if torchops.base_name(called_name(call)) in names | torchops.HEAVY]
        return [
            saving.finding(
                self.name,
                "algorithmic",
                share * _WITHIN_REACH,
                f"PyTorch runs {torchops.named(heavy)}, about {share:.0%} of the expected time",
                "Bring it into TileLang where fusing pays: T.gemm with the epilogue on its accumulator (a "
                "convolution as implicit GEMM), or use the algebra of what follows to compute less of it.",
                [("operations", torchops.named(heavy)), ("share", share), ("torch_flops", facts.torch_flops)],
                min(lines, default=source.forward.lineno if source and source.forward else None),
            )
        ]
