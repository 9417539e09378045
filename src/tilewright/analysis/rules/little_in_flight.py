"""Bandwidth stays low, though no byte is moved in vain.

What: one kernel moves the tensors' bytes once and in whole sectors, has a block for each multiprocessor, and
reached under 60 % of the bandwidth, its start and end not counted.
Slow because: by Little's law a GPU needs bandwidth times latency in flight (an H100 about 2 MB, 17 KB on each
multiprocessor); with fewer loads standing, or with threads that wait for each other, memory idles in between.
Example: 128 threads a block, 4 blocks a multiprocessor, one load of 16 bits each: 1 KB in flight.
Instead: several independent wide loads a thread before the first is used (a larger tile, an unrolled loop), more
resident threads, or stages of asynchronous copies.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tilewright.analysis import saving, torchops
from tilewright.analysis.coefficients import coefficients
from tilewright.analysis.executed import loads_standing
from tilewright.analysis.limit import compulsory_bytes, limit
from tilewright.analysis.model import blocks_per_sm
from tilewright.analysis.source import read_source
from tilewright.hardware import Gpu
from tilewright.records import Candidate, Evidence, Facts, Finding, KernelFacts, Problem, RunFacts

_LOW = 0.6
_WITHIN_REACH = 0.9
_MINIMAL = 1.3
_CONTIGUOUS = 0.5
_ALONE_MS = 0.0055
"""What a kernel takes that moves next to nothing: 5.8 us for 1 MB (1_20, 1_26 and 1_32 by events on an H200,
`benchmarks/results/seeds.jsonl`). Only the rest of the time says something about a rate."""
_OTHER_CAUSE = 0.3
"""The share of the gain that is promised where enough is in flight, and something else must hold it back."""


class LittleInFlight:
    name = "little-in-flight"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        facts, run = _measured(evidence)
        gpu = saving.gpu_of(facts) if facts else None
        if facts is None or run is None or gpu is None or not run.bytes_per_s or len(facts.kernels) != 1:
            return []
        (kernel,), floor = facts.kernels, limit(facts, gpu)
        rate = floor.bytes / floor.memory_ms * 1e3 if floor.memory_ms else 0.0
        idle = math.prod(kernel.grid) < gpu.sms  # then it is blocks that are missing, which is another rule's to say
        if floor.bound_by != "memory" or idle or torchops.launching(facts.torch_ops):
            return []
        moving_ms = run.device_ms - _ALONE_MS
        if moving_ms * _LOW <= floor.memory_ms or not _moves_once(facts, kernel):
            return []
        saves = (moving_ms - floor.memory_ms / _WITHIN_REACH) / run.device_ms
        needed = rate * coefficients().dram_latency_ns * 1e-9 / gpu.sms
        standing = _standing(kernel, gpu)
        few = standing is not None and standing < needed
        source = read_source(candidate.source, candidate.entry_point)
        written = source.kernel(kernel.name, kernel.line) if source else None
        asked = f", with {standing / 1e3:.1f} KB in flight on a multiprocessor" if standing is not None else ""
        return [
            saving.finding(
                self.name,
                "memory",
                saves if few else saves * _OTHER_CAUSE,
                f"kernel {kernel.name} moves each byte once, but at {run.bytes_per_s / 1e12:.2f} of "
                f"{rate / 1e12:.2f} TB/s{asked} ({needed / 1e3:.1f} KB are needed)",
                "Let each thread ask for several wide values before it uses the first: a larger tile, an unrolled or "
                "pipelined loop, more resident threads."
                if few
                else "Enough loads are in the code: look for what keeps them from standing at the same time, such as "
                "barriers, a chain of dependent steps, or a last wave of few blocks.",
                [
                    ("bytes_per_s", run.bytes_per_s),
                    ("reachable_bytes_per_s", rate),
                    ("needed_in_flight", needed),
                    *([("in_flight", standing)] if standing is not None else []),
                ],
                written.launch_line if written else kernel.line,
            )
        ]


def _measured(evidence: Evidence) -> tuple[Facts | None, RunFacts | None]:
    """The workload that takes longest of those with facts and a run."""
    facts = saving.slowest_facts(evidence)
    run = next((run for run in evidence.runs if facts and run.workload == facts.workload), None)
    return facts, run


def _moves_once(facts: Facts, kernel: KernelFacts) -> bool:
    moved, border = kernel.global_bytes, compulsory_bytes(facts)
    scattered = kernel.coalescing is not None and kernel.coalescing < _CONTIGUOUS
    return kernel.launches == 1 and moved is not None and moved <= _MINIMAL * border and not scattered


def _standing(kernel: KernelFacts, gpu: Gpu) -> float | None:
    """Bytes that a multiprocessor's resident threads can have asked for; None where that is not known."""
    a_thread = loads_standing(kernel)
    if not a_thread or kernel.asynchronous_copies:
        return None
    resident = min(blocks_per_sm(kernel, gpu), math.ceil(math.prod(kernel.grid) / gpu.sms))
    return a_thread * kernel.block_threads * resident
