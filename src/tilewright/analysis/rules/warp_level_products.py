"""Products by the instructions of single warps on a GPU that has those of warpgroups.

What: on Hopper (sm_90) the binary multiplies by mma (HMMA), not by wgmma (HGMMA).
Slow because: mma reads its operands from registers, which ldmatrix must fill first; it reaches about 63 % of the
tensor cores' rate there, wgmma reads shared memory itself and reaches nearly all.
Example: a tile of 32 x 256: wgmma takes 64 rows for each four warps, so TileLang falls back to mma.
Instead: tiles of 64 or more rows a warpgroup, threads in multiples of 128, both operands in shared memory in
fp16 or bf16; a product with few rows turned round, so that the long side is the rows.
"""

from __future__ import annotations

from collections.abc import Sequence

from tilewright.analysis import saving
from tilewright.analysis.source import KernelSource, read_source
from tilewright.records import Candidate, Evidence, Finding, KernelFacts, Problem

_MMA_SHARE = 0.63
"""Of wgmma's rate on an H100: W. Luo et al., Dissecting the NVIDIA Hopper Architecture through Microbenchmarking and
Multiple Level Analysis, arXiv:2501.12084."""
_ROWS = 64
_WARPGROUP = 128
_NARROW = ("float16", "bfloat16", "half", "")


class WarpLevelProducts:
    name = "warp-level-products"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        facts = saving.slowest_facts(evidence)
        gpu = saving.gpu_of(facts) if facts else None
        times = saving.expected(facts) if facts else None
        if facts is None or gpu is None or times is None or not gpu.arch.startswith("sm_90"):
            return []
        source = read_source(candidate.source, candidate.entry_point)
        findings = []
        for kernel, time in zip(facts.kernels, times.kernels):
            code = kernel.instructions
            if code is None or not code.mma or code.wgmma or not kernel.matmul_flops:
                continue
            bound = time.compute_ms / time.total_ms if time.total_ms else 0.0
            saves = saving.share_of_kernel(facts, kernel) * min(1.0, bound) * (1 - _MMA_SHARE)
            if saves < saving.NOTICEABLE:
                continue
            written = source.kernel(kernel.name, kernel.line) if source else None
            why = _why(kernel, written)
            findings.append(
                saving.finding(
                    self.name,
                    "compute",
                    saves,
                    f"kernel {kernel.name} multiplies by mma where {gpu.name} has wgmma{why}",
                    "Use tiles of 64 or more rows a warpgroup, threads in multiples of 128, and fp16 or bf16 "
                    "operands in shared memory.",
                    [("mma", float(code.mma)), ("wgmma", 0.0), ("block_threads", float(kernel.block_threads))],
                    written.gemm_lines[0] if written and written.gemm_lines else kernel.line,
                )
            )
        return findings


def _why(kernel: KernelFacts, written: KernelSource | None) -> str:
    """What of wgmma's conditions the tile misses, where that can be told."""
    if kernel.block_threads % _WARPGROUP:
        return f": {kernel.block_threads} threads are no whole warpgroups"
    if written and written.matmul_tile and written.matmul_tile[0] < _ROWS:
        return f": its tile has {written.matmul_tile[0]} rows"
    wide = [dtype for dtype in (written.operand_dtypes if written else ()) if dtype not in _NARROW]
    return f": its operands are {wide[0]}" if wide else ""
