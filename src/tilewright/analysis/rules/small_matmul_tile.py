"""A matrix product cut into tiles too small to feed the tensor cores.

What: `T.gemm` on tiles whose traffic comes to few operations per byte, though the problem itself has many.
Slow because: a tile of bM x bN reads (bM + bN) values per step for bM * bN multiply-adds; 32 x 32 has a
quarter of the reuse of 128 x 128, so L2 and shared memory decide. On Hopper tiles with fewer than 64 rows or
128 threads also lose the warpgroup instructions.
Example: `block_M=32, block_N=32, threads=32`.
Instead: the largest of 128 x 256 (256 threads), 128 x 128, 128 x 64 (128 threads) that leaves a block for nine in
ten multiprocessors; steps of 64 fp16 values along K (block_K), in three or four stages.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tilewright.analysis import saving
from tilewright.analysis.limit import compulsory_bytes
from tilewright.analysis.source import KernelSource, read_source
from tilewright.analysis.tiles import FILLED, product_tile
from tilewright.records import Candidate, Evidence, Facts, Finding, KernelFacts, Problem

_GOOD_INTENSITY = 64.0
"""Operations per byte of 128 x 128 tiles of fp16."""
_SMALL_EDGE = 64
_PRIOR = 0.3
"""What it saves where the kernel's facts are not known."""
_ANY = (
    "Raise block_M and block_N to the largest of 128x256 (256 threads), 128x128 and 128x64 (128 threads) whose grid "
    "has a block for nine in ten multiprocessors, with steps of 64 fp16 values along K (block_K=64)."
)


class SmallMatmulTile:
    name = "small-matmul-tile"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        source = read_source(candidate.source, candidate.entry_point)
        facts = saving.slowest_facts(evidence)
        if facts is None:
            written = source.kernels if source else ()
            small = [k for k in written if len(k.matmul_tile) == 2 and min(k.matmul_tile) < _SMALL_EDGE]
            return [self._finding(k.name, _PRIOR, [], k, k.gemm_lines[0], _ANY) for k in small]
        gpu = saving.gpu_of(facts)
        findings = []
        for kernel in facts.kernels:
            larger = _with_larger_tiles(facts, kernel)
            if larger is None:
                continue
            intensity, changes = larger
            saves = saving.saved_by_kernel(facts, kernel, **changes)
            if saves < saving.NOTICEABLE:
                continue
            found = source.kernel(kernel.name, kernel.line) if source else None
            tile = product_tile(facts, kernel, problem, gpu)
            if tile and found and len(found.matmul_tile) == 2 and tile.values <= math.prod(found.matmul_tile):
                continue  # it is as large as the product's edges and the GPU permit
            action = f"Raise the tile: {tile.worded(gpu)}." if tile and gpu else _ANY
            line = found.gemm_lines[0] if found and found.gemm_lines else kernel.line
            numbers = [("flops_per_byte", intensity), ("blocks", float(math.prod(kernel.grid)))]
            findings.append(self._finding(kernel.name, saves, numbers, found, line, action))
        return findings

    def _finding(
        self,
        name: str,
        saves: float,
        numbers: Sequence[tuple[str, float | str]],
        written: KernelSource | None,
        line: int | None,
        action: str,
    ) -> Finding:
        tile = "x".join(map(str, written.matmul_tile)) if written and written.matmul_tile else ""
        reuse = f" and gets {numbers[0][1]:.0f} operations out of a byte" if numbers else ""
        return saving.finding(
            self.name,
            "compute",
            saves,
            f"kernel {name} multiplies small tiles{f' ({tile})' if tile else ''}{reuse}",
            action,
            [*numbers, *([("tile", tile)] if tile else [])],
            line,
        )


def _with_larger_tiles(facts: Facts, kernel: KernelFacts) -> tuple[float, dict[str, object]] | None:
    """(its operations per byte, the facts it would have with larger tiles), or None where its tiles are fine."""
    gpu = saving.gpu_of(facts)
    if gpu is None or not kernel.matmul_flops or not kernel.global_bytes or kernel.uses_tensor_cores is False:
        return None
    intensity = kernel.matmul_flops / kernel.global_bytes
    held = kernel.tensor_bytes or compulsory_bytes(facts)
    blocks = math.prod(kernel.grid)
    spare_blocks = max(1.0, blocks / (FILLED * gpu.sms))
    if intensity >= 0.75 * _GOOD_INTENSITY or kernel.global_bytes <= 1.5 * held or spare_blocks < 2:
        return None
    fewer = min((_GOOD_INTENSITY / intensity) ** 2, spare_blocks)
    changes: dict[str, object] = {
        "grid": (math.ceil(blocks / fewer),),
        "global_bytes": max(held, kernel.global_bytes / math.sqrt(fewer)),
        "block_threads": max(128, kernel.block_threads),
        "blocks_per_sm": max(1, round((kernel.blocks_per_sm or 1) / fewer)),
    }
    return intensity, changes
