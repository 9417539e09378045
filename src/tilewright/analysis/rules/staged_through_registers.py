"""Tiles that pass through registers on their way to shared memory.

What: a loop that is no matrix product loads tiles into registers, stores them to shared memory and waits at a
barrier, on a GPU that has asynchronous copies.
Slow because: nobody works while the loads are on their way, and each value takes a register and two instructions
that cp.async or the TMA would not need.
Example: `for k in T.serial(n // 512): T.copy(X[row, k * 512], tile_shared)`, then work on `tile_shared`.
Instead: `T.Pipelined(..., num_stages=3)` around the same `T.copy`, at the same type on both sides; or a fragment
as its target, without shared memory, where threads don't read each other's values.
"""

from __future__ import annotations

from collections.abc import Sequence

from tilewright.analysis import saving
from tilewright.analysis.source import read_source
from tilewright.records import Candidate, Evidence, Finding, KernelFacts, Problem
from tilewright.records.facts import Widths

_STAGES = 3
_TILES = 0.5
"""Of the bytes that a loop loads, the share it must store to shared memory to be staging tiles: reductions exchange a
few values there too."""


class StagedThroughRegisters:
    name = "staged-through-registers"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        facts = saving.slowest_facts(evidence)
        gpu = saving.gpu_of(facts) if facts else None
        if facts is None or gpu is None or not gpu.has_async_copies:
            return []
        source = read_source(candidate.source, candidate.entry_point)
        findings = []
        for kernel in facts.kernels:
            if kernel.matmul_flops or kernel.asynchronous_copies or not _stages_in_a_loop(kernel):
                continue  # of products `no-pipelining` speaks
            saves = saving.saved_by_kernel(
                facts,
                kernel,
                asynchronous_copies=True,
                shared_bytes=min(gpu.shared_bytes_per_block, kernel.shared_bytes * _STAGES),
            )
            if saves < saving.NOTICEABLE:
                continue
            loop = kernel.loop_instructions
            written = source.kernel(kernel.name, kernel.line) if source else None
            loops = [one.line for one in written.loops if one.kind != "parallel"] if written else []
            findings.append(
                saving.finding(
                    self.name,
                    "parallelism",
                    saves,
                    f"kernel {kernel.name} brings its tiles to shared memory through registers and waits for each",
                    "Loop with T.Pipelined(..., num_stages=3) over T.copy from global to shared memory at one type, "
                    "or copy into a fragment where no thread reads another's values.",
                    [
                        ("loaded_bytes", _bytes(loop.global_loads) if loop else 0.0),
                        ("barriers", float(loop.barriers) if loop else 0.0),
                    ],
                    loops[0] if loops else kernel.line,
                )
            )
        return findings


def _stages_in_a_loop(kernel: KernelFacts) -> bool:
    loop = kernel.loop_instructions
    if loop is None or not loop.barriers or not loop.global_loads:
        return False
    return _bytes(loop.shared_stores) >= _TILES * _bytes(loop.global_loads)


def _bytes(pieces: Widths) -> float:
    return sum(width / 8 * count for width, count in pieces)
