"""How fast could anyone solve this problem on this GPU, and how near to that is a candidate?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from tilewright.analysis import torchops
from tilewright.errors import ConfigError
from tilewright.hardware import Gpu, load_gpu
from tilewright.records import Attempt, Estimated, Evaluation, Evidence, Facts, Measured, Precision

_FP32_NAMES = ("fp32", "float32", "float", "torch.float32")
_BF16_NAMES = ("bf16", "bfloat16", "torch.bfloat16")
_ASSUMED_LAUNCH_S = 0.58e-6
"""The H200's (`data/gpus.toml`): none of these years is known to start a kernel faster."""


@dataclass(frozen=True)
class Limit:
    """The floor of a problem's time, and the three floors that it is the largest of.

    `bytes` is what has to cross device memory, `flops` what the reference computes (None when not counted).
    `notes` name where each rate is from; `probed`: all of them from the GPU at hand.
    """

    bound_by: Literal["memory", "compute", "launch"]
    floor_ms: float
    memory_ms: float
    compute_ms: float | None
    launch_ms: float
    bytes: float
    flops: float | None
    notes: tuple[str, ...] = ()
    probed: bool = False


@dataclass(frozen=True)
class Written:
    """What one forward of a candidate moves, computes and launches as it is written, PyTorch's operations included.

    `bytes` are asked for, of whichever memory answers. None where it is not known of one of the kernels.
    """

    bytes: float | None
    flops: float | None
    launches: int


@dataclass(frozen=True)
class Reached:
    """A candidate's time at one workload beside the problem's limit. `estimated`: the time is a model's."""

    workload: str
    weight: float
    limit: Limit
    written: Written
    candidate_ms: float
    estimated: bool

    @property
    def rate(self) -> str:
        """The one that the limit comes from, and where that is from."""
        return next(note for note in self.limit.notes if note.startswith(self.limit.bound_by))

    @property
    def share(self) -> float:
        """Of the limit: 1 is the floor itself."""
        return share_of_limit(self.limit, self.candidate_ms)

    @property
    def bytes_per_s(self) -> float:
        """The bytes that have to move over the time it took, whatever it moved beside."""
        return self.limit.bytes / self.candidate_ms * 1e3

    @property
    def flops_per_s(self) -> float | None:
        return None if self.limit.flops is None else self.limit.flops / self.candidate_ms * 1e3


def limit(facts: Facts, gpu: Gpu, rates: Literal["reached", "peak"] = "reached") -> Limit:
    """The roofline of S. Williams, A. Waterman, D. Patterson (CACM 52(4), 2009), with a launch as third bound.

    The largest of: every input and parameter read once and every output written once, over the bandwidth; the
    reference's operations over the rate of the unit that can do them; an empty kernel's time, once.

    "reached" takes the best rates that this GPU reached when it was probed, else those measured on such a GPU where
    there are any; "peak" the data sheet's: what nothing can beat. An empty kernel is timed by the same clock as
    candidates. Three ways below the floor are legitimate and not modelled: algebra that needs fewer operations than
    the reference, outputs that don't depend on all inputs, and a kernel that gets more out of the GPU than the probe
    did: mostly by a few percent, by reads without writes, other data or a cooler chip, never more than the data
    sheet's rates. A rate that an unlisted GPU's driver doesn't tell bounds nothing.
    """
    moved = compulsory_bytes(facts)
    bandwidth, bandwidth_note = _bandwidth(gpu, rates)
    launch_s, launch_note = _launch_s(gpu)
    floors: dict[Literal["memory", "compute", "launch"], float] = {
        "memory": moved / bandwidth * 1e3 if bandwidth else 0.0,
        "launch": launch_s * 1e3,
    }
    notes = [bandwidth_note, launch_note]
    if facts.reference_flops is not None:
        flops_per_s, flops_note = _flops_per_s(gpu, precision_of(facts), rates)
        floors["compute"] = facts.reference_flops / flops_per_s * 1e3 if flops_per_s else 0.0
        notes.insert(1, flops_note)
    bound_by = max(floors, key=lambda name: floors[name])
    return Limit(
        bound_by=bound_by,
        floor_ms=floors[bound_by],
        memory_ms=floors["memory"],
        compute_ms=floors.get("compute"),
        launch_ms=floors["launch"],
        bytes=moved,
        flops=facts.reference_flops,
        notes=tuple(notes),
        probed=gpu.probed and rates == "reached",
    )


def as_written(facts: Facts) -> Written:
    """What all kernels of a forward and PyTorch's own operations sum up to."""
    kernels = facts.kernels
    moved = [k.global_bytes * k.launches for k in kernels if k.global_bytes is not None]
    computed = [k.flops * k.launches for k in kernels if k.flops is not None]
    return Written(
        bytes=sum(moved) + facts.torch_bytes if len(moved) == len(kernels) else None,
        flops=sum(computed) + facts.torch_flops if len(computed) == len(kernels) else None,
        launches=sum(k.launches for k in kernels) + sum(count for _, count in torchops.launching(facts.torch_ops)),
    )


def reached(evidence: Evidence, evaluation: Evaluation | None, gpu: Gpu) -> list[Reached]:
    """One for each workload that has both facts and a time."""
    by_workload = {facts.workload: facts for facts in evidence.facts}
    return [
        Reached(
            workload=workload,
            weight=weight,
            limit=limit(by_workload[workload], gpu),
            written=as_written(by_workload[workload]),
            candidate_ms=candidate_ms,
            estimated=isinstance(evaluation, Estimated),
        )
        for workload, weight, candidate_ms in _times(evaluation)
        if workload in by_workload
    ]


def share_reached(attempt: Attempt, gpu: str) -> float | None:
    """The share of its limit that an attempt reached on a GPU; an estimate where the attempt's time is one.

    None where facts of a workload or a time are missing, or nothing is known of the GPU."""
    try:
        return _share(attempt.evidence, attempt.evaluation, load_gpu(gpu))
    except ConfigError:
        return None


def fields(evidence: Evidence, evaluation: Evaluation | None, gpu: Gpu) -> dict[str, Any]:
    """For programs: percent of the limit over all workloads, whether that is an estimate, and the floor of each."""
    rows = {row.workload: row for row in reached(evidence, evaluation, gpu)}
    share = _share(evidence, evaluation, gpu)
    return {
        "limit_percent": None if share is None else 100 * share,
        "limit_is_estimate": isinstance(evaluation, Estimated),
        "floor": {
            facts.workload: _floor_fields(limit(facts, gpu), as_written(facts), rows.get(facts.workload))
            for facts in evidence.facts
        },
    }


def fields_of(attempt: Attempt, gpu: str) -> dict[str, Any]:
    """`fields` of an attempt; without any where nothing is known of the GPU."""
    try:
        return fields(attempt.evidence, attempt.evaluation, load_gpu(gpu))
    except ConfigError:
        return {"limit_percent": None, "limit_is_estimate": False, "floor": {}}


def share_of_limit(limit: Limit, candidate_ms: float) -> float:
    """How much of what the hardware allows was achieved: 1 is the floor itself."""
    return limit.floor_ms / candidate_ms


def compulsory_bytes(facts: Facts) -> float:
    """Each input and parameter once in, each output once out."""
    return float(sum(t.bytes for t in (*facts.inputs, *facts.parameters, *facts.outputs)))


def precision_of(facts: Facts) -> Precision:
    """The precision that the floating tensors at the module's border have; fp32 only where none is narrower."""
    dtypes = {t.dtype for t in (*facts.inputs, *facts.parameters, *facts.outputs)}
    if dtypes & set(_BF16_NAMES):
        return "bf16"
    if dtypes & set(_FP32_NAMES) and not dtypes & {"fp16", "float16", "half", "torch.float16"}:
        return "fp32"
    return "fp16"


def _share(evidence: Evidence, evaluation: Evaluation | None, gpu: Gpu) -> float | None:
    """Over all workloads: the weighted geometric mean, as speedups are averaged."""
    rows = reached(evidence, evaluation, gpu)
    if not rows or len(rows) < len(list(_times(evaluation))):
        return None
    return math.exp(sum(row.weight * math.log(row.share) for row in rows) / sum(row.weight for row in rows))


def _floor_fields(floor: Limit, written: Written, row: Reached | None) -> dict[str, Any]:
    return {
        "ms": floor.floor_ms,
        "bound_by": floor.bound_by,
        "achieved": row.share if row else None,
        "memory_ms": floor.memory_ms,
        "compute_ms": floor.compute_ms,
        "launch_ms": floor.launch_ms,
        "bytes": floor.bytes,
        "flops": floor.flops,
        "written": {"bytes": written.bytes, "flops": written.flops, "launches": written.launches},
        "bytes_per_s": row.bytes_per_s if row else None,
        "flops_per_s": row.flops_per_s if row else None,
        "rates": list(floor.notes),
        "probed": floor.probed,
    }


def _times(evaluation: Evaluation | None) -> Iterator[tuple[str, float, float]]:
    """(workload, weight, ms)."""
    if isinstance(evaluation, Measured):
        for timing in evaluation.measurement.timings:
            yield timing.workload, timing.weight, timing.candidate_ms
    elif isinstance(evaluation, Estimated):
        for row in evaluation.estimate.estimates:
            yield row.workload, row.weight, row.candidate_ms


def _bandwidth(gpu: Gpu, rates: str) -> tuple[float, str]:
    if rates == "reached" and gpu.measured_copy_bytes_per_s:
        value = gpu.measured_copy_bytes_per_s
        return value, f"memory: {value / 1e12:.2f} TB/s, {_measured('a copy', gpu)}"
    return gpu.memory_bytes_per_s, f"memory: {gpu.memory_bytes_per_s / 1e12:.2f} TB/s, data sheet of {gpu.name}"


def _flops_per_s(gpu: Gpu, precision: Precision, rates: str) -> tuple[float, str]:
    peak, measured = gpu.matmul_flops_per_s(precision), gpu.measured_matmul_flops_per_s(precision)
    if rates == "reached" and measured:
        return measured, f"compute: {measured / 1e12:.3g} TFLOP/s at {precision}, {_measured('a product', gpu)}"
    return peak, f"compute: {peak / 1e12:.3g} TFLOP/s at {precision}, data sheet of {gpu.name}"


def _launch_s(gpu: Gpu) -> tuple[float, str]:
    if gpu.measured_launch_s:
        value = gpu.measured_launch_s
        return value, f"launch: {value * 1e6:.2g} us, {_measured('an empty kernel', gpu)}"
    return _ASSUMED_LAUNCH_S, f"launch: {_ASSUMED_LAUNCH_S * 1e6:g} us, measured on an H200, assumed on {gpu.name}"


def _measured(what: str, gpu: Gpu) -> str:
    why_not = f" (not here: {gpu.not_probed})" if gpu.not_probed else ""
    return f"{what} measured here" if gpu.probed else f"{what} measured on another {gpu.name}{why_not}"
