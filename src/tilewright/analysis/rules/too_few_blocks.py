"""Fewer blocks than the GPU has multiprocessors.

What: the grid leaves multiprocessors without any work.
Slow because: an idle multiprocessor's arithmetic and its share of the bytes in flight are lost; a block can't
be spread over two.
Example: one block per row for 16 rows of 16384 values, or 128 x 128 tiles of a 512 x 512 product: 16 blocks
for 132 multiprocessors.
Instead: smaller tiles or fewer rows a block, more blocks along another dimension, or split the reduction (split K)
over several blocks with a second small kernel or one atomic per block.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tilewright.analysis import saving
from tilewright.analysis.rules.serial_reduction import is_scan
from tilewright.analysis.source import CandidateSource, KernelSource, read_source
from tilewright.analysis.tiles import FILLED
from tilewright.records import Candidate, Evidence, Facts, Finding, KernelFacts, Problem

_SMALL_TILE = 64 * 64
"""Values of a product's tile below which its blocks are as small as they should be."""


class TooFewBlocks:
    name = "too-few-blocks"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        facts = saving.slowest_facts(evidence)
        gpu = saving.gpu_of(facts) if facts else None
        if facts is None or gpu is None:
            return []
        source = read_source(candidate.source, candidate.entry_point)
        findings = []
        for kernel in facts.kernels:
            blocks = math.prod(kernel.grid)
            if blocks >= FILLED * gpu.sms:
                continue
            filled = blocks / gpu.sms
            depth = None if kernel.serial_depth is None else kernel.serial_depth * filled
            written = source.kernel(kernel.name, kernel.line) if source else None
            has = "1 block" if blocks == 1 else f"{blocks} blocks"
            saves = saving.saved_by_kernel(facts, kernel, grid=(gpu.sms,), serial_depth=depth)
            if _has_to_add_up(facts, kernel, written):
                saves -= saving.share_of_another_kernel(facts)
            if saves < saving.NOTICEABLE:
                continue
            findings.append(
                saving.finding(
                    self.name,
                    "parallelism",
                    saves,
                    f"kernel {kernel.name} has {has} for the {gpu.sms} multiprocessors of {gpu.name}",
                    _action(source, kernel, written, max(2, gpu.sms // blocks)),
                    [("blocks", float(blocks)), ("multiprocessors", float(gpu.sms))],
                    written.launch_line if written else kernel.line,
                )
            )
        return findings


def _action(source: CandidateSource | None, kernel: KernelFacts, written: KernelSource | None, times: int) -> str:
    """`times` as many blocks are wanted; a product or a reduction is cut into no more pieces than it has steps."""
    pieces = max(2, min(times, int(kernel.serial_depth or times)))
    adding = "adding their partial results costs a second launch, or an atomic for each."
    if kernel.matmul_flops:
        return f"Cut the work finer: smaller tiles, or split K over about {pieces} blocks each; {adding}"
    if is_scan(source, written):
        return (
            f"Give each block fewer rows, or cut each row into about {pieces} pieces: one kernel for the pieces' "
            "totals, a second that scans each piece from the sum of the totals before it."
        )
    if written is not None and written.reduces:
        return (
            "Cut the work finer: fewer rows a block, another grid dimension, or split the reduction over about "
            f"{pieces} blocks each; {adding}"
        )
    return f"Cut the work finer: {times} times as many blocks with smaller tiles, or another grid dimension."


def _has_to_add_up(facts: Facts, kernel: KernelFacts, written: KernelSource | None) -> bool:
    """Whether more blocks mean partial results, which take another kernel: a block's own reduction is cut, or a
    product whose tiles are small already."""
    if kernel.matmul_flops:
        values = max((math.prod(t.shape) for t in facts.outputs), default=0)
        return values / math.prod(kernel.grid) <= _SMALL_TILE
    return written is not None and written.reduces
