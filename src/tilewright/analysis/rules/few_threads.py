"""Blocks of a few threads.

What: under 128 threads a block (TileLang's default and a warpgroup), or a number that is no multiple of 32.
Slow because: a multiprocessor holds at most 16 to 32 blocks, so one-warp blocks fill half of it at best; a
block has little in flight; on Hopper `T.gemm` needs a warpgroup of 128 threads for its fast instructions; a
half-filled warp wastes its other lanes.
Example: `T.Kernel(rows, threads=32)`.
Instead: 128 or 256 threads, and a tile that gives each of them 8 values or more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from tilewright.analysis import saving
from tilewright.analysis.model import blocks_per_sm
from tilewright.analysis.source import KernelSource, read_source
from tilewright.hardware import WARP_SIZE, Gpu
from tilewright.records import Candidate, Evidence, Facts, Finding, KernelFacts, Problem

_FEW = 128
_PRIOR = 0.15
"""What it saves where the kernel's facts are not known."""


class FewThreads:
    name = "few-threads"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        source = read_source(candidate.source, candidate.entry_point)
        facts = saving.slowest_facts(evidence)
        if facts is None:
            written = source.kernels if source else ()
            return [self._finding(k.name, k.threads, _PRIOR, k) for k in written if k.threads and _few(k.threads)]
        gpu = saving.gpu_of(facts)
        findings = []
        for kernel in facts.kernels:
            if gpu is None or not _few(kernel.block_threads):
                continue
            saves = _saved(facts, kernel, gpu)
            if saves < saving.NOTICEABLE:
                continue
            found = source.kernel(kernel.name, kernel.line) if source else None
            findings.append(self._finding(kernel.name, kernel.block_threads, saves, found))
        return findings

    def _finding(self, name: str, threads: int, saves: float, written: KernelSource | None) -> Finding:
        return saving.finding(
            self.name,
            "parallelism",
            saves,
            f"kernel {name} has {threads} threads a block"
            + ("" if threads % WARP_SIZE == 0 else f", no multiple of the warp's {WARP_SIZE}"),
            "Use 128 or 256 threads a block, with a tile that gives each of them at least 8 values.",
            [("threads", float(threads))],
            written.launch_line if written else None,
        )


def _few(threads: int) -> bool:
    return threads < _FEW or threads % WARP_SIZE != 0


def _saved(facts: Facts, kernel: KernelFacts, gpu: Gpu) -> float:
    """The same threads in fewer blocks where there are plenty of blocks, else more threads for each."""
    wider = max(1.0, _FEW / kernel.block_threads)
    threads = math.ceil(kernel.block_threads * wider / WARP_SIZE) * WARP_SIZE
    per_sm = blocks_per_sm(replace(kernel, block_threads=threads, blocks_per_sm=None), gpu)
    blocks = math.prod(kernel.grid)
    if blocks >= 4 * gpu.sms * wider and not kernel.matmul_flops:
        return saving.saved_by_kernel(
            facts, kernel, block_threads=threads, grid=(math.ceil(blocks / wider),), blocks_per_sm=per_sm
        )
    depth = None if kernel.serial_depth is None else kernel.serial_depth / (1 if kernel.matmul_flops else wider)
    return saving.saved_by_kernel(facts, kernel, block_threads=threads, serial_depth=depth)
