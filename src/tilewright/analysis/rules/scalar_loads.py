"""A loop in which a thread reads one narrow value after the other.

What: elements are indexed one by one in a serial loop; no `T.copy`, `T.Parallel` or `T.vectorized` that
TileLang could turn into wide loads, and a thread reads at most 8 bytes at a time.
Slow because: a 16-bit load uses an instruction, and keeps a slot for a load in flight, that could carry 128
bits.
Example: `for i in T.serial(n // threads): acc[0] += X[row, i * threads + tx]`.
Instead: `T.copy` a tile into a fragment and reduce it (`T.reduce_sum`), or `for v in T.vectorized(8)` inside
the loop.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tilewright.analysis import saving
from tilewright.analysis.executed import bytes_per_access
from tilewright.analysis.rules.matmul_without_tensor_cores import multiplies_on_scalar_units
from tilewright.analysis.rules.narrow_accesses import widened
from tilewright.analysis.source import KernelSource, read_source
from tilewright.records import Candidate, Evidence, Facts, Finding, KernelFacts, Problem

_NARROW_BYTES = 8.0
_WIDER = 8.0
_CONTIGUOUS = 0.5
"""Below this coalescing there is nothing next to a thread's value that it could load with it."""
_PRIOR = 0.15
"""What it saves where the kernel's facts are not known: a guess that sorts it behind what was computed."""


class ScalarLoads:
    name = "scalar-loads"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        source = read_source(candidate.source, candidate.entry_point)
        if source is None:
            return []
        facts = saving.slowest_facts(evidence)
        if facts is None:
            return [self._finding(written, _PRIOR, None) for written in source.kernels if _indexes_in_a_loop(written)]
        findings = []
        for kernel in facts.kernels:
            written = source.kernel(kernel.name, kernel.line)
            if written is None or not _indexes_in_a_loop(written) or kernel.matmul_flops:
                continue
            if multiplies_on_scalar_units(facts, kernel):
                continue  # T.gemm replaces the loop
            narrow = bytes_per_access(kernel) if kernel.instructions else _bytes_per_iteration(kernel)
            scattered = kernel.coalescing is not None and kernel.coalescing < _CONTIGUOUS
            if narrow is None or narrow > _NARROW_BYTES or scattered:
                continue
            saves = _saved(facts, kernel)
            if saves >= saving.NOTICEABLE:
                findings.append(self._finding(written, saves, narrow))
        return findings

    def _finding(self, written: KernelSource, saves: float, narrow: float | None) -> Finding:
        measured = f", {narrow:.1f} bytes at a time" if narrow is not None else ""
        return saving.finding(
            self.name,
            "memory",
            saves,
            f"kernel {written.name} reads single elements in a serial loop{measured}",
            "Copy tiles with T.copy into a fragment and work on those (T.Parallel, T.reduce_sum), or read 8 values "
            "at once with T.vectorized(8).",
            [("bytes_at_a_time", narrow)] if narrow is not None else [],
            written.access_lines[0],
        )


def _indexes_in_a_loop(written: KernelSource) -> bool:
    serial = any(loop.kind == "serial" for loop in written.loops)
    return serial and not written.copies_tiles and bool(written.access_lines)


def _bytes_per_iteration(kernel: KernelFacts) -> float | None:
    if not kernel.global_bytes or not kernel.serial_depth:
        return None
    return kernel.global_bytes / (math.prod(kernel.grid) * kernel.block_threads * kernel.serial_depth)


def _saved(facts: Facts, kernel: KernelFacts) -> float:
    by_source = saving.saved_by_kernel(facts, kernel, serial_depth=(kernel.serial_depth or 1.0) / _WIDER)
    return max(by_source, saving.saved_by_code(facts, kernel, widened))
