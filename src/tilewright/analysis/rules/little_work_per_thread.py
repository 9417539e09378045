"""Many small blocks whose threads move a few bytes each and end.

What: a grid of many waves in which a thread moves less than one 128-bit load's worth.
Slow because: starting a block and waiting for its one load takes about a microsecond however little it moves,
and narrow loads keep too few bytes in flight to fill the memory bus.
Example: `Y[bx * 256 + tx] = f(X[bx * 256 + tx])`, one fp16 value a thread.
Instead: give a block a tile of several thousand elements with `T.Parallel(block_M, block_N)` or `T.copy`, so
that TileLang makes 128-bit loads of it, at least 16 bytes a thread (8 fp16 values), with 128 threads or more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tilewright.analysis import saving
from tilewright.analysis.model import blocks_per_sm
from tilewright.analysis.source import read_source
from tilewright.records import Candidate, Evidence, Facts, Finding, Problem

_ONE_WIDE_LOAD = 16.0
_ENOUGH_BYTES = 64.0
_WAVES = 4


class LittleWorkPerThread:
    name = "little-work-per-thread"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        facts = saving.slowest_facts(evidence)
        gpu = saving.gpu_of(facts) if facts else None
        if facts is None or gpu is None:
            return []
        source = read_source(candidate.source, candidate.entry_point)
        findings = []
        for kernel in facts.kernels:
            blocks = math.prod(kernel.grid)
            per_thread = (kernel.global_bytes or 0.0) / (blocks * kernel.block_threads)
            waves = blocks / (gpu.sms * blocks_per_sm(kernel, gpu))
            if not kernel.global_bytes or per_thread >= _ONE_WIDE_LOAD or waves < _WAVES:
                continue
            fewer = min(_ENOUGH_BYTES / per_thread, waves)
            written = source.kernel(kernel.name, kernel.line) if source else None
            saves = saving.saved_by_kernel(facts, kernel, grid=(math.ceil(blocks / fewer),))
            if saves < saving.NOTICEABLE:
                continue
            findings.append(
                saving.finding(
                    self.name,
                    "memory",
                    saves,
                    f"kernel {kernel.name} starts {blocks} blocks of {kernel.block_threads} threads that move "
                    f"{per_thread:.1f} bytes each",
                    "Give each block a larger tile, T.Parallel over (block_M, block_N) or T.copy, so that each "
                    f"thread moves 16 bytes at once{_values(facts)}; keep 128 threads or more.",
                    [("bytes_per_thread", per_thread), ("blocks", float(blocks)), ("waves", waves)],
                    written.launch_line if written else kernel.line,
                )
            )
        return findings


def _values(facts: Facts) -> str:
    """How many values of the largest tensor those are."""
    largest = max((*facts.inputs, *facts.outputs), key=lambda tensor: tensor.bytes, default=None)
    if largest is None or not largest.bytes:
        return ""
    return f" ({_ONE_WIDE_LOAD * math.prod(largest.shape) / largest.bytes:.0f} values of {largest.dtype})"
