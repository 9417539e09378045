"""A loop over tiles that waits for each tile before it works on it.

What: a loop with `T.gemm` (or another loop over shared tiles) whose copies are synchronous: `num_stages=0`,
`T.serial`, or `range`.
Slow because: in each iteration all threads wait out the latency of device memory, then compute while memory
idles. With `num_stages=0` TileLang emits neither TMA nor cp.async.
Example: `for k in T.Pipelined(K // bK, num_stages=0)`.
Instead: `num_stages=2` to 4, as shared memory permits (stages * (bM*bK + bK*bN) values), around `T.copy` of whole
tiles: the TMA fetches those on Hopper, cp.async elsewhere. Copies written as `T.Parallel` become cp.async there by
themselves, unless a condition guards them.
"""

from __future__ import annotations

from collections.abc import Sequence

from tilewright.analysis import saving
from tilewright.analysis.source import KernelSource, Loop, read_source
from tilewright.records import Candidate, Evidence, Finding, Problem

_STAGES = 3
_PRIOR = 0.25
"""What it saves where the kernel's facts are not known."""


class NoPipelining:
    name = "no-pipelining"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        source = read_source(candidate.source, candidate.entry_point)
        facts = saving.slowest_facts(evidence)
        if facts is None:
            return [
                self._finding(written.name, _PRIOR, loop, None)
                for written in (source.kernels if source else ())
                if (loop := _unpipelined(written)) is not None
            ]
        gpu = saving.gpu_of(facts)
        findings = []
        for kernel in facts.kernels:
            tiles = bool(kernel.matmul_flops) and bool(kernel.shared_bytes) and (kernel.serial_depth or 0) >= 2
            if gpu is None or not gpu.has_async_copies or kernel.asynchronous_copies is not False or not tiles:
                continue
            written = source.kernel(kernel.name, kernel.line) if source else None
            if written is not None and not any(loop.has_gemm for loop in written.loops):
                continue  # one product of whole tiles: there is no next one to load meanwhile
            loop = _unpipelined(written) if written else None
            saves = saving.saved_by_kernel(
                facts,
                kernel,
                asynchronous_copies=True,
                shared_bytes=min(gpu.shared_bytes_per_block, kernel.shared_bytes * _STAGES),
            )
            if saves >= saving.NOTICEABLE:
                findings.append(self._finding(kernel.name, saves, loop, kernel.serial_depth))
        return findings

    def _finding(self, name: str, saves: float, loop: Loop | None, iterations: float | None) -> Finding:
        stages = f" (num_stages={loop.stages})" if loop and loop.stages is not None else ""
        return saving.finding(
            self.name,
            "parallelism",
            saves,
            f"kernel {name} waits for each tile in its loop{stages}: no copy is asynchronous",
            "Loop with T.Pipelined(..., num_stages=3), or 2 to 4, so that the next tiles load during T.gemm; check "
            "that the stages fit in shared memory. T.copy of whole tiles is best (TMA on Hopper, else cp.async); "
            "copies by T.Parallel become cp.async there by themselves, unless a condition guards them.",
            [("iterations", iterations)] if iterations is not None else [],
            loop.line if loop else None,
        )


def _unpipelined(written: KernelSource) -> Loop | None:
    """The loop around a gemm that has no stages."""
    for loop in written.loops:
        if loop.has_gemm and (loop.kind == "serial" or (loop.kind == "pipelined" and loop.stages == 0)):
            return loop
    return None
