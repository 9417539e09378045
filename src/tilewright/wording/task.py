"""What is to be computed, at which sizes, and on which GPU?"""

from __future__ import annotations

from collections.abc import Sequence

from tilewright.errors import ConfigError
from tilewright.hardware import load_gpu
from tilewright.lm import fenced
from tilewright.records import Precision, Problem, Workload

SOURCE_LIMIT = 60_000
"""Bytes of a source file that are shown; far more than a kernel has."""
_ERROR_FACTOR = 16.0
"""What the rules for all candidates say."""


def terms(policy: str, backward: bool, error_factor: float) -> list[str]:
    """What a run with these settings asks of a candidate beyond the rules that all runs have."""
    found = []
    if policy == "own-kernels":
        found.append(
            "Matrix products, convolutions and attention have to run in TileLang kernels of your own: a candidate "
            "that leaves them, or half of the device's time, to PyTorch or a library is rejected."
        )
    if backward:
        found.append(
            "Gradients of the inputs and parameters are outputs too: they are compared, and forward and backward are "
            "timed together. What isn't made of differentiable PyTorch operations needs a torch.autograd.Function."
        )
    if error_factor != _ERROR_FACTOR:
        found.append(f"Errors may be {error_factor:g} times PyTorch's own, instead of {_ERROR_FACTOR:g}.")
    return found


def task(problem: Problem, gpu: str, terms: Sequence[str] = ()) -> str:
    """The reference in full, the dtype, each workload, what the GPU has, and what this run asks for."""
    lines = [
        f"{problem.name}, in {problem.precision}. The PyTorch reference:",
        source(problem.source),
        *(f"{file.path}, which it imports:\n{source(file.text)}" for file in problem.support),
        "Sizes: " + "; ".join(_workload(workload) for workload in problem.workloads),
    ]
    if len(problem.workloads) > 1:
        lines.append("The speedup is the weighted geometric mean over these.")
    return "\n".join([*lines, _hardware(gpu, problem.precision), *terms])


def source(text: str) -> str:
    """A whole file as a fenced block."""
    return fenced(text.strip("\n"), SOURCE_LIMIT)


def _hardware(name: str, precision: Precision) -> str:
    try:
        gpu = load_gpu(name)
    except ConfigError:  # one that is in no table
        return f"GPU: {name}"
    bandwidth = gpu.measured_copy_bytes_per_s or gpu.memory_bytes_per_s
    products = gpu.measured_matmul_flops_per_s(precision) or gpu.matmul_flops_per_s(precision)
    parts = [
        f"GPU: {gpu.name} ({gpu.arch}), {gpu.sms} multiprocessors",
        f"{bandwidth / 1e12:.3g} TB/s" if bandwidth else "",
        f"{products / 1e12:.3g} TFLOP/s for {precision} matrix products" if products else "",
        f"{gpu.fp32_flops / 1e12:.3g} TFLOP/s for fp32 arithmetic" if gpu.fp32_flops else "",
        f"{gpu.shared_bytes_per_block // 1024} KB of shared memory for a block at most",
        f"{gpu.l2_bytes / 1e6:.3g} MB of L2" if gpu.l2_bytes else "",
        f"an empty kernel takes {gpu.measured_launch_s * 1e6:.2g} us" if gpu.measured_launch_s else "",
    ]
    return ", ".join(part for part in parts if part)


def _workload(workload: Workload) -> str:
    if workload.inputs:
        sizes = ", ".join(f"{spec.dtype} {list(spec.shape)}" for spec in workload.inputs)
    elif workload.overrides:
        sizes = "the reference with " + ", ".join(f"{name} = {value}" for name, value in workload.overrides)
    else:
        sizes = "the reference as it stands"
    weight = f", weight {workload.weight:g}" if workload.weight != 1 else ""
    return f"{workload.name} ({sizes}{weight})"
