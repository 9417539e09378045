"""How long does a candidate take at a workload, where does that time go, and how long must anyone take?"""

from __future__ import annotations

import re

from tilewright.analysis import torchops
from tilewright.analysis.limit import as_written, limit
from tilewright.analysis.model import Expected, estimate, expected_time
from tilewright.hardware import Gpu
from tilewright.records import Evidence, Facts, Problem, RunFacts, Spent, Standing, WorkloadEstimate

_WORTH_A_ROW = 0.002
"""Of the whole: less than that is no row of its own."""


def standings(evidence: Evidence, problem: Problem, gpu: Gpu, estimating: bool = True) -> tuple[Standing, ...]:
    """One for each of the problem's workloads that anything is known of, measured where there is a run of it.

    Without a run the time is the model's, unless `estimating` is off: what is wrong has no time worth expecting.
    """
    found = []
    for workload in problem.workloads:
        facts = next((f for f in evidence.facts if f.workload == workload.name), None)
        run = next((r for r in evidence.runs if r.workload == workload.name), None)
        if run is not None:
            found.append(_measured(run, facts, gpu))
        elif facts is not None:
            found.append(_estimated(facts, problem, gpu) if estimating else _standing(facts, gpu))
    return tuple(found)


def _measured(run: RunFacts, facts: Facts | None, gpu: Gpu) -> Standing:
    spent = tuple(
        Spent(
            kernel.name,
            kernel.device_ms,
            kernel.launches,
            "TileLang" if kernel.own else "PyTorch or a library",
            _line(kernel.name, facts) if kernel.own and facts else None,
        )
        for kernel in run.kernels
    )
    if run.gaps_ms and run.gaps_ms > _WORTH_A_ROW * run.device_ms:
        spent = tuple(sorted((*spent, Spent("gaps between kernels", run.gaps_ms)), key=lambda row: -row.ms))
    return _standing(facts, gpu, measured=True, time_ms=run.device_ms, spent=spent, workload=run.workload)


def _line(device_name: str, facts: Facts) -> int | None:
    """TileLang calls a device kernel after its function: `<prim_func>_kernel`, the next `<prim_func>_kernel_1`."""
    names = (device_name, re.sub(r"_kernel(_\d+)?$", "", device_name))
    return next((kernel.line for kernel in facts.kernels if kernel.name in names), None)


def _estimated(facts: Facts, problem: Problem, gpu: Gpu) -> Standing:
    row: WorkloadEstimate = estimate(Evidence(facts=(facts,)), problem, gpu).estimates[0]
    expected = expected_time(facts, gpu, problem.precision)
    scale = row.candidate_ms / expected.total_ms if expected.total_ms else 1.0
    return _standing(
        facts,
        gpu,
        time_ms=row.candidate_ms,
        interval_ms=(row.low_ms, row.high_ms),
        spent=tuple(_expected_parts(facts, expected, scale)),
        workload=facts.workload,
    )


def _expected_parts(facts: Facts, expected: Expected, scale: float) -> list[Spent]:
    """Longest first: each kernel, and what is none."""
    rows = [
        Spent(
            kernel.name,
            time.total_ms * kernel.launches * scale,
            kernel.launches,
            f"{time.bound_by}-bound",
            kernel.line,
        )
        for kernel, time in zip(facts.kernels, expected.kernels)
    ]
    parts = dict(expected.parts)
    operations = torchops.launching(facts.torch_ops)
    others = (
        ("launches of its kernels", "launch", float(sum(kernel.launches for kernel in facts.kernels)), ""),
        ("PyTorch's operations", "torch", float(sum(n for _, n in operations)), torchops.named(operations)),
        ("work in forward on the host", "host", None, "kernels built in forward"),
    )
    rows += [
        Spent(what, parts[part] * scale, launches, detail) for what, part, launches, detail in others if part in parts
    ]
    least = _WORTH_A_ROW * expected.total_ms * scale
    return sorted((row for row in rows if row.ms > least), key=lambda row: -row.ms)


def _standing(
    facts: Facts | None,
    gpu: Gpu,
    *,
    measured: bool = False,
    time_ms: float | None = None,
    interval_ms: tuple[float, float] | None = None,
    spent: tuple[Spent, ...] = (),
    workload: str = "",
) -> Standing:
    floor = limit(facts, gpu) if facts else None
    return Standing(
        workload=workload or (facts.workload if facts else ""),
        measured=measured,
        time_ms=time_ms,
        interval_ms=interval_ms,
        floor_ms=floor.floor_ms if floor else None,
        bound_by=floor.bound_by if floor else "",
        floor_notes=floor.notes if floor else (),
        spent=spent,
        asked_bytes=as_written(facts).bytes if facts else None,
        needed_bytes=floor.bytes if floor else None,
    )
