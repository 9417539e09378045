"""What did a measurement show of one forward, beside its ratio?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from tilewright.analysis.limit import compulsory_bytes, limit
from tilewright.analysis.saving import gpu_of
from tilewright.records import Evaluation, Evidence, Facts, KernelRun, Measured, Measurement, RunFacts, WorkloadTiming

_ENDS_MS = 0.0039
"""What events around a forward read beside its kernels, before the first and after the last: 3.7 to 4.4 us in 42
measurements on H200s, this is their median."""


def with_runs(evidence: Evidence, evaluation: Evaluation | None) -> Evidence:
    """The evidence with what the run showed, unless that is there already; as it is where nothing was measured."""
    if evidence.runs or not isinstance(evaluation, Measured):
        return evidence
    return replace(evidence, runs=runs_of(evaluation.measurement, evidence))


def runs_of(measurement: Measurement, evidence: Evidence) -> tuple[RunFacts, ...]:
    """One a workload. The profiler's census was taken at the first; it gives shares of the time on the device."""
    return tuple(
        _run(timing, measurement, evidence, first=place == 0) for place, timing in enumerate(measurement.timings)
    )


def with_counters(runs: Sequence[RunFacts], counted: Sequence[KernelRun], why_not: str) -> tuple[RunFacts, ...]:
    """The first run with what hardware counters said of its kernels, or why they were not read.

    Where there was no census the kernels are those that were counted; their times are then scaled to the run's.
    """
    if not runs:
        return ()
    first = runs[0]
    if not counted:
        return (replace(first, no_counters=why_not), *runs[1:])
    kernels = tuple(replace(kernel, counters=_counters_of(kernel, counted)) for kernel in first.kernels)
    if not kernels:
        total_ms = sum(kernel.device_ms for kernel in counted) or 1.0
        kernels = tuple(replace(k, device_ms=k.device_ms / total_ms * first.device_ms) for k in counted)
    return (replace(first, kernels=kernels), *runs[1:])


def _run(timing: WorkloadTiming, measurement: Measurement, evidence: Evidence, first: bool) -> RunFacts:
    device_ms = timing.candidate_ms
    latency = [
        c.timing for c in measurement.comparisons if c.clock == "latency" and c.baseline == measurement.baseline
    ]
    facts = next((f for f in evidence.facts if f.workload == timing.workload), None)
    per_second = 1e3 / device_ms if device_ms > 0 else None
    busy_ms = _busy_ms(timing, measurement, facts) if first else None
    in_kernels_ms = device_ms if busy_ms is None else busy_ms
    return RunFacts(
        workload=timing.workload,
        device_ms=device_ms,
        kernels=tuple(
            KernelRun(one.name, one.launches, one.share * in_kernels_ms, one.own)
            for one in measurement.census
            if first
        ),
        latency_ms=next((t.candidate_ms for t in latency if t.workload == timing.workload), None),
        bytes_per_s=compulsory_bytes(facts) * per_second if facts and per_second else None,
        flops_per_s=facts.reference_flops * per_second if facts and facts.reference_flops and per_second else None,
        busy_ms=busy_ms,
    )


def _busy_ms(timing: WorkloadTiming, measurement: Measurement, facts: Facts | None) -> float | None:
    """What kernels took of the timed call at most, from what they took under the profiler.

    Profiled, they found in the L2 cache what the timed call had to fetch from device memory, and events around that
    call read more than its kernels: both could pass for gaps and are none.
    """
    gpu = gpu_of(facts) if facts else None
    if measurement.busy_ms is None or facts is None or gpu is None:
        return None
    if sum(kernel.launches for kernel in measurement.census) <= 1:
        return timing.candidate_ms
    floor = limit(facts, gpu)
    cold_ms = floor.memory_ms * min(1.0, gpu.l2_bytes / floor.bytes) if floor.bytes else 0.0
    traced = any(c.clock == "events" and c.timing.workload == timing.workload for c in measurement.comparisons)
    return min(timing.candidate_ms, measurement.busy_ms + cold_ms + (0.0 if traced else _ENDS_MS))


def _counters_of(kernel: KernelRun, counted: Sequence[KernelRun]) -> tuple[tuple[str, float], ...]:
    """By its full name, else by its name without arguments where only one has that."""
    same = [one for one in counted if one.name == kernel.name]
    alike = same or [one for one in counted if _base(one.name) == _base(kernel.name)]
    return alike[0].counters if len(alike) == 1 else ()


def _base(name: str) -> str:
    return re.split(r"[<(]", name.removeprefix("void "))[0].strip()
