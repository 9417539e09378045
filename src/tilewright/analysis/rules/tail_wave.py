"""A last wave of blocks that leaves most multiprocessors idle.

What: the grid is a little more than a whole number of waves, and there are few waves.
Slow because: the blocks beyond the last full wave take as long as a full one.
Example: 140 blocks of one per multiprocessor on 132 multiprocessors: two waves, the second with 8 blocks.
Instead: a tile size whose grid divides evenly, smaller tiles (more waves, a smaller loss), or a persistent
kernel (`T.Persistent`) that spreads tiles over as many blocks as there are multiprocessors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tilewright.analysis import saving
from tilewright.analysis.model import blocks_per_sm
from tilewright.analysis.source import read_source
from tilewright.records import Candidate, Evidence, Finding, Problem

_FEW_WAVES = 5
_LOST = 0.15


class TailWave:
    name = "tail-wave"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        facts = saving.slowest_facts(evidence)
        gpu = saving.gpu_of(facts) if facts else None
        times = saving.expected(facts) if facts else None
        if facts is None or gpu is None or times is None:
            return []
        source = read_source(candidate.source, candidate.entry_point)
        findings = []
        for kernel, time in zip(facts.kernels, times.kernels):
            at_once = gpu.sms * blocks_per_sm(kernel, gpu)
            waves = math.prod(kernel.grid) / at_once
            lost = 1.0 - waves / math.ceil(waves)
            # Blocks that wait for memory share the bandwidth, however many are left at the end.
            streams = not kernel.matmul_flops and time.memory_ms >= time.compute_ms
            if waves <= 1 or waves > _FEW_WAVES or lost < _LOST or time.bound_by == "memory" or streams:
                continue
            saves = lost * saving.share_of_kernel(facts, kernel)
            if saves < saving.NOTICEABLE:
                continue
            written = source.kernel(kernel.name, kernel.line) if source else None
            findings.append(
                saving.finding(
                    self.name,
                    "parallelism",
                    saves,
                    f"kernel {kernel.name} runs {waves:.2f} waves of {at_once} blocks: the last one is mostly empty",
                    "Choose tiles whose grid fills whole waves, smaller tiles, or T.Persistent.",
                    [("waves", waves), ("blocks_at_once", float(at_once)), ("lost_share", lost)],
                    written.launch_line if written else kernel.line,
                )
            )
        return findings
