"""Threads that wait for each other again and again.

What: a kernel that synchronises its threads itself comes to many barriers, and no `T.reduce_*` explains them.
Slow because: at each barrier all warps wait for the last, some 40 ns in which nothing else of the block is done.
Example: a sum over 4096 values as a tree in shared memory: `for half in T.serial(12): ... T.sync_threads()`.
Instead: `T.reduce_sum` and its like over a fragment (warps reduce by shuffles, without barriers), a row a warp
rather than a row a block, values that are passed in registers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from tilewright.analysis import saving
from tilewright.analysis.executed import executed
from tilewright.analysis.lines import call_lines
from tilewright.analysis.source import read_source
from tilewright.records import Candidate, Evidence, Finding, Instructions, Problem

_MANY = 16.0
"""Barriers that each thread comes to; below it is a tile or two."""
_LEFT = 0.25
"""The share of them that is left: 8 warps reduced by shuffles take two barriers in place of eight."""
_BY_HAND = ("sync_threads", "syncthreads")


class BarrierChain:
    name = "barrier-chain"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        facts = saving.slowest_facts(evidence)
        source = read_source(candidate.source, candidate.entry_point)
        findings = []
        for kernel in facts.kernels if facts else ():
            run = executed(kernel)
            written = source.kernel(kernel.name, kernel.line) if source else None
            lines = call_lines(source, written, _BY_HAND) if source and written else []
            if facts is None or run is None or run.barriers < _MANY or not lines:
                continue  # those of a `T.reduce_*` or of a loop over tiles are TileLang's own
            saves = saving.saved_by_code(facts, kernel, _without)
            if saves < saving.NOTICEABLE:
                continue
            findings.append(
                saving.finding(
                    self.name,
                    "parallelism",
                    saves,
                    f"each thread of kernel {kernel.name} comes to about {run.barriers:.0f} barriers",
                    "Reduce with T.reduce_* over a fragment, give a warp its own row, and pass "
                    "values in registers instead of through shared memory.",
                    [("barriers", run.barriers), ("block_threads", float(kernel.block_threads))],
                    lines[0] if lines else kernel.line,
                )
            )
        return findings


def _without(counted: Instructions) -> Instructions:
    fewer = counted.barriers - math.ceil(counted.barriers * _LEFT)
    return replace(counted, total=counted.total - fewer, barriers=counted.barriers - fewer)
