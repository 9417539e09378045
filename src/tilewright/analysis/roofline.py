"""How fast could anyone solve this problem on this GPU?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tilewright.analysis.coefficients import coefficients
from tilewright.hardware import Gpu
from tilewright.records import Facts, Precision

_FP32_NAMES = ("fp32", "float32", "float", "torch.float32")
_BF16_NAMES = ("bf16", "bfloat16", "torch.bfloat16")


@dataclass(frozen=True)
class Limit:
    """The floor of a problem's time, and the three floors that it is the largest of.

    `bytes` is what has to cross device memory, `flops` what the reference computes (None when not counted).
    `notes` name where each rate is from.
    """

    bound_by: Literal["memory", "compute", "launch"]
    floor_ms: float
    memory_ms: float
    compute_ms: float | None
    launch_ms: float
    bytes: float
    flops: float | None
    notes: tuple[str, ...] = ()


def floor_ms(facts: Facts, gpu: Gpu, rates: Literal["reached", "peak"] = "reached") -> Limit:
    """The roofline of S. Williams, A. Waterman, D. Patterson (CACM 52(4), 2009), with a launch as third bound.

    The largest of: every input and parameter read once and every output written once, over the bandwidth; the
    reference's operations over the rate of the unit that can do them; one empty launch.

    "reached" takes the rates measured on such a GPU where there are any, "peak" the data sheet's: what nothing can
    beat. Two ways below the compute floor are legitimate and not modelled: algebra that needs fewer
    operations than the reference, and outputs that don't depend on all inputs.
    """
    moved = compulsory_bytes(facts)
    bandwidth, bandwidth_note = _bandwidth(gpu, rates)
    memory_ms = moved / bandwidth * 1e3
    notes = [bandwidth_note]
    compute_ms = None
    if facts.reference_flops is not None:
        flops_per_s, flops_note = _flops_per_s(gpu, precision_of(facts), rates)
        compute_ms = facts.reference_flops / flops_per_s * 1e3
        notes.append(flops_note)
    launch_ms = coefficients().launch_us * 1e-3
    notes.append(
        f"launch: {launch_ms * 1e3:g} us, seen on an H100" + ("" if gpu.name == "H100" else ", assumed here")
    )
    floors: dict[Literal["memory", "compute", "launch"], float] = {
        "memory": memory_ms,
        "compute": compute_ms or 0.0,
        "launch": launch_ms,
    }
    bound_by = max(floors, key=lambda name: floors[name])
    return Limit(
        bound_by=bound_by,
        floor_ms=floors[bound_by],
        memory_ms=memory_ms,
        compute_ms=compute_ms,
        launch_ms=launch_ms,
        bytes=moved,
        flops=facts.reference_flops,
        notes=tuple(notes),
    )


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


def _bandwidth(gpu: Gpu, rates: str) -> tuple[float, str]:
    if rates == "reached" and gpu.measured_copy_bytes_per_s:
        reached = gpu.measured_copy_bytes_per_s
        return reached, f"memory: {reached / 1e12:.2f} TB/s, a measured copy on {gpu.name}"
    return gpu.memory_bytes_per_s, f"memory: {gpu.memory_bytes_per_s / 1e12:.2f} TB/s, data sheet of {gpu.name}"


def _flops_per_s(gpu: Gpu, precision: Precision, rates: str) -> tuple[float, str]:
    peak = gpu.matmul_flops_per_s(precision)
    if rates == "reached" and gpu.measured_tensor_flops:
        # The matrix product was measured at bf16; TF32 is taken to reach the same share of its peak.
        reached = peak * gpu.measured_tensor_flops / gpu.tensor_flops
        return reached, f"compute: {reached / 1e12:.0f} TFLOP/s at {precision}, from a measured product on {gpu.name}"
    return peak, f"compute: {peak / 1e12:.0f} TFLOP/s at {precision}, data sheet of {gpu.name}"
