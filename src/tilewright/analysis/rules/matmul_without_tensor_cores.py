"""A matrix product (or convolution) that runs on the ordinary pipelines.

What: most of the problem's operations are multiply-adds over shared operands, and none runs on tensor cores:
no `T.gemm`, or one that was lowered to scalar instructions.
Slow because: an H100 does 989 TFLOP/s of fp16 on tensor cores and 67 in fp32 pipelines, and a scalar loop
doesn't keep its operands close either.
Example: `for k in T.serial(K): acc[0] += A[i, k] * B[k, j]`.
Instead: tiles of A and B in shared memory, `T.gemm(A_shared, B_shared, C_local)` in a `T.Pipelined` loop; of a
convolution one T.gemm for each tap, the input moved by the tap (implicit GEMM). At fp32 `T.gemm` computes in TF32,
which is less exact: only where the precision asked for permits it.
"""

from __future__ import annotations

from collections.abc import Sequence

from tilewright.analysis import saving
from tilewright.analysis.limit import compulsory_bytes
from tilewright.analysis.source import read_source
from tilewright.analysis.tiles import is_convolution, product_tile
from tilewright.records import Candidate, Evidence, Facts, Finding, KernelFacts, Problem

_SHARED_OPERANDS = 8.0
"""Operations per byte of the problem above which operands are used often enough for a product of tiles."""
_TILE_INTENSITY = 64.0
"""Operations per byte of 128 x 128 tiles of fp16."""
_TILE_K = 64.0


class MatmulWithoutTensorCores:
    name = "matmul-without-tensor-cores"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        facts = saving.slowest_facts(evidence)
        if facts is None:
            return []
        source = read_source(candidate.source, candidate.entry_point)
        exact = problem.precision == "fp32"
        findings = []
        for kernel in facts.kernels:
            if not multiplies_on_scalar_units(facts, kernel):
                continue
            written = source.kernel(kernel.name, kernel.line) if source else None
            flops = kernel.flops or kernel.matmul_flops or 0.0
            lines = (written.gemm_lines or written.access_lines) if written else ()
            findings.append(
                saving.finding(
                    self.name,
                    "compute",
                    _saved(facts, kernel, flops) * (0.5 if exact else 1.0),
                    f"kernel {kernel.name} does {flops / 1e9:.3g} GFLOP of products without tensor cores",
                    _action(facts, kernel, problem),
                    [("flops", flops), ("uses_tensor_cores", "no")],
                    lines[0] if lines else kernel.line,
                )
            )
        return findings


def multiplies_on_scalar_units(facts: Facts, kernel: KernelFacts) -> bool:
    """Whether a kernel's work is a product, without tensor cores: how it reads its operands is then of no matter."""
    if kernel.matmul_flops:
        return kernel.uses_tensor_cores is False
    if kernel.uses_tensor_cores or not facts.reference_flops or not kernel.flops:
        return False
    border = compulsory_bytes(facts)
    dense = border > 0 and facts.reference_flops / border >= _SHARED_OPERANDS
    return dense and kernel.flops >= 0.5 * facts.reference_flops


def _action(facts: Facts, kernel: KernelFacts, problem: Problem) -> str:
    gpu = saving.gpu_of(facts)
    tile = product_tile(facts, kernel, problem, gpu)
    if not is_convolution(problem):
        how = "Stage tiles of both operands in T.alloc_shared and multiply them with T.gemm inside T.Pipelined"
    else:
        k = "input channels x taps" if tile and tile.patches else "input channels"
        operands = [f"the weights (output channels x {k})", f"the input ({k} x positions)"]
        if tile and tile.positions_first:
            operands = [f"the input (positions x {k})", f"the weights ({k} x output channels)"]
        how = (
            "Gather patches, as the input has too few channels to go tap by tap, and multiply with T.gemm"
            if tile and tile.patches
            else "Compute one T.gemm for each tap of the filter, all into one accumulator, the input moved by the tap"
        )
        how += f" (implicit GEMM): tiles of {operands[0]} times tiles of {operands[1]} in T.alloc_shared"
    size = tile.worded(gpu) if tile and gpu else "tiles of 128x128, smaller where blocks get too few for the GPU"
    tf32 = " At fp32 that is TF32: check that its error is permitted, or split the operands."
    return f"{how}: {size}.{tf32 if problem.precision == 'fp32' else ''}"


def _saved(facts: Facts, kernel: KernelFacts, flops: float) -> float:
    asked = kernel.global_bytes or compulsory_bytes(facts)
    return saving.saved_by_kernel(
        facts,
        kernel,
        uses_tensor_cores=True,
        matmul_flops=flops,
        global_bytes=min(asked, max(compulsory_bytes(facts), flops / _TILE_INTENSITY)),
        serial_depth=(kernel.serial_depth or 0.0) / _TILE_K,
        coalescing=1.0,
        asynchronous_copies=True,
        shared_bytes=max(kernel.shared_bytes, 65536),
        block_threads=max(kernel.block_threads, 128),
    )
