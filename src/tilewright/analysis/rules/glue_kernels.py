"""PyTorch's small kernels take a good part of the measured time.

What: copies, casts, fills, sums and element-wise kernels that are not the candidate's own, by the profiler's account
of one forward. Products, convolutions and the like of a library are left to `library-compute`.
Slow because: each reads and writes whole tensors between kernels that could have done the same on values they
hold.
Example: `direct_copy_kernel` of `x.contiguous()` takes 0.05 of 0.12 ms, `vectorized_elementwise_kernel` of `y *
2` another 0.03.
Instead: read the tensors as they lie, convert in registers, and apply element-wise steps to the accumulator or
the tile before it is stored.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tilewright.analysis import saving
from tilewright.records import Candidate, Evidence, Finding, KernelRun, Problem

_HEAVY = re.compile(
    r"gemm|gemv|conv(?!ert)|cudnn|cutlass|xmma|nvjet|cublas|splitk|flash|fmha|attention|sort|fft|rnn|softmax|norm_"
    r"|normalize|pool|^\d+ others$",
    re.I,
)
"""Work of its own; and the row in which a profile sums up what it does not list."""
_NAMED = 3
_LONGEST_NAME = 40


class GlueKernels:
    name = "glue-kernels"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        run = next((run for run in evidence.runs if run.kernels), None)
        if run is None or not any(kernel.own for kernel in run.kernels):
            return []
        glue = [kernel for kernel in run.kernels if not kernel.own and not _HEAVY.search(kernel.name)]
        spent_ms = sum(kernel.device_ms for kernel in glue)
        saves = spent_ms / run.device_ms if run.device_ms else 0.0
        if saves < saving.NOTICEABLE:
            return []
        named = ", ".join(f"{_short(kernel)} {kernel.device_ms:.3g} ms" for kernel in glue[:_NAMED])
        return [
            saving.finding(
                self.name,
                "host",
                saves,
                f"{saves:.0%} of the measured time is in kernels of PyTorch's that copy, convert, sum or go "
                f"element by element: {named}",
                "Read tensors as they lie, convert in registers, and do element-wise steps in your kernel before it "
                "stores.",
                [("glue_ms", spent_ms), ("launches", sum(kernel.launches for kernel in glue))],
            )
        ]


def _short(kernel: KernelRun) -> str:
    """The last functor that a template is made of says what it does; else the kernel's own name."""
    functors = re.findall(r"\w+(?:Functor|_kernel_cuda)", kernel.name)
    base = re.split(r"[<(]", kernel.name.removeprefix("void "))[0].rsplit("::", 1)[-1].strip()
    return (functors[-1] if functors else base)[:_LONGEST_NAME]
