"""Below which time is a forward impossible on this GPU?

What the output depends on must be read, and the output be written. The bytes that it surely depends on are counted on
the reference itself: the elements of inputs and parameters with a gradient other than zero. That is fewer than are
read (a ReLU hides some), never more, so the floor is one that no honest kernel gets below.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch

from tilewright.errors import ConfigError
from tilewright.hardware import Gpu, gpu_for_device_name, gpu_from_device
from tilewright.worker.running.building import Forward, arguments
from tilewright.worker.running.returned import tensors_in
from tilewright.worker.timing import gpu
from tilewright.worker.verifying import inputs
from tilewright.worker.verifying.inputs import Reference

MARGIN = 0.9
"""Share of the floor that a time must reach: a data sheet's bandwidth may be a little low."""
_NOISE = 1e-5
"""Of the largest gradient of a tensor."""


def floor_ms(needed_bytes: float, written_bytes: float, device: Gpu) -> float:
    """Reads come from device memory, since the L2 cache was overwritten; of the writes its size may stay in there."""
    moved = needed_bytes + max(0.0, written_bytes - device.l2_bytes)
    return moved / device.memory_bytes_per_s * 1e3


@functools.cache
def this_gpu() -> Gpu | None:
    """The row of `gpus.toml`, or what the driver says; None where neither knows its bandwidth."""
    known = gpu_for_device_name(gpu.device_name())
    if known:
        return known
    try:
        derived = gpu_from_device("", gpu.properties())
    except (ConfigError, KeyError):
        return None
    return derived if derived.memory_bytes_per_s > 0 else None


def bytes_needed(reference: Reference, seed: int) -> float:
    """Of inputs and parameters, at the task's dtype: what the outputs surely depend on; 0 where nothing is known."""
    try:
        with inputs.running(torch.float32), torch.enable_grad():
            return _with_gradient(reference, reference.forward(seed), reference.inputs(seed))
    except Exception:  # a reference that can't be differentiated, or not in this much memory, has no floor
        return 0.0
    finally:
        torch.cuda.empty_cache()


def _with_gradient(reference: Reference, forward: Forward, given: Sequence[torch.Tensor]) -> float:
    if isinstance(forward, torch.nn.Module):
        forward = forward.float()
    leaves = [t.float().requires_grad_() if t.is_floating_point() else t for t in given]
    outputs = [t for t in tensors_in(forward(*arguments(leaves, reference.plain_inputs))) if t.requires_grad]
    parameters = list(forward.parameters()) if isinstance(forward, torch.nn.Module) else []
    wanted = [t for t in (*leaves, *parameters) if t.requires_grad]
    cotangents = [torch.randn_like(output) for output in outputs]
    gradients = torch.autograd.grad(outputs, wanted, cotangents, allow_unused=True)
    return float(sum(map(_counted, gradients)) * reference.dtype.itemsize)


def _counted(gradient: torch.Tensor | None) -> int:
    """Elements that matter; what cancels out leaves a gradient of rounding errors."""
    if gradient is None or not gradient.numel():
        return 0
    sizes = gradient.abs()
    return int(torch.count_nonzero(sizes > _NOISE * sizes.amax()))
