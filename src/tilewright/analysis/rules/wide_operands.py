"""A product of fp32 tiles where the task is in 16 bits.

What: the tiles that `T.gemm` multiplies are float32, though the module's tensors are fp16 or bf16.
Slow because: tensor cores multiply fp32 tiles as TF32, at half the rate or less, from twice the shared memory; and a
copy that converts on the way can't be asynchronous, so that no number of stages pipelines it.
Example: `A_shared = T.alloc_shared((block_M, block_K), "float32")`, filled by `T.copy` from an fp16 tensor.
Instead: tiles of the task's type, and float32 for the accumulator only: it is what keeps the sum exact.
"""

from __future__ import annotations

from collections.abc import Sequence

from tilewright.analysis import saving
from tilewright.analysis.source import KernelSource, read_source
from tilewright.records import Candidate, Evidence, Finding, Problem

_WIDE = ("float32", "float", "fp32", "float64")
_PRIOR = 0.4
"""What it saves where the kernel's facts are not known."""
_STAGES = 3


class WideOperands:
    name = "wide-operands"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        source = read_source(candidate.source, candidate.entry_point)
        facts = saving.slowest_facts(evidence)
        if source is None or problem.precision == "fp32":
            return []
        if facts is None:
            return [self._finding(k, _PRIOR) for k in source.kernels if _multiplies_wide(k)]
        findings = []
        for kernel in facts.kernels:
            written = source.kernel(kernel.name, kernel.line)
            if written is None or not kernel.matmul_flops or not _multiplies_wide(written):
                continue
            products = kernel.matmul_flops
            saves = saving.saved_by_kernel(
                facts,
                kernel,
                # The model takes products for fp16; as TF32 they take twice as long or more.
                matmul_flops=products / 2,
                flops=(kernel.flops or products) - products / 2,
                uses_tensor_cores=True,
                asynchronous_copies=True,
                shared_bytes=kernel.shared_bytes // 2 * (1 if kernel.asynchronous_copies else _STAGES),
            )
            if saves >= saving.NOTICEABLE:
                findings.append(self._finding(written, saves))
        return findings

    def _finding(self, written: KernelSource, saves: float) -> Finding:
        dtypes = " and ".join(dict.fromkeys(written.operand_dtypes))
        return saving.finding(
            self.name,
            "compute",
            saves,
            f"kernel {written.name} multiplies tiles of {dtypes} for a task in 16 bits",
            "Allocate the tiles that T.gemm multiplies in the task's type and keep float32 for the accumulator, so "
            "that T.copy converts nothing and can be asynchronous.",
            [("operands", dtypes)],
            written.gemm_lines[0],
        )


def _multiplies_wide(written: KernelSource) -> bool:
    return any(dtype in _WIDE for dtype in written.operand_dtypes)
