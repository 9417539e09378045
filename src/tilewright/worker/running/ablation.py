"""What does a forward return when none of its TileLang kernels is launched?

In place of each launch, what the kernel would have written is overwritten with large numbers of random sign. An
output that is right all the same owes nothing to the kernels: they are decoys. Large, and not NaN, because adding
nothing of a kernel (`y + 0 * kernel(x)`) leaves a finite number out, and even a row's maximum, which a softmax does
not depend on in exact arithmetic, breaks it.

Launches that go round the kernel object (by TileLang's default way to CUDA) and those that a CUDA graph replays do
run; they are counted.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from tilelang.jit.adapter import TVMFFIKernelAdapter
from tilelang.jit.kernel import JITKernel
from torch.utils._python_dispatch import _disable_current_modes
from tvm import tirx

from tilewright.toolchain.arguments import allocate_outputs
from tilewright.toolchain.census import counting
from tilewright.toolchain.intercept import CapturedKernel, returned
from tilewright.toolchain.tir import nodes, op_name
from tilewright.worker.exchange.wire import Header
from tilewright.worker.running.building import Forward

_LARGE = 1e4
"""Its exponential overflows in every dtype, the number itself fits into all but 8-bit ones."""
_LARGE_ODD = 0x55555555
_MOST_OPERATIONS = 100
_WRITES = 2
"""The bit for it in TileLang's access masks: 1 reads, 2 writes, 3 does both."""


@dataclass
class Launches:
    """Of kernels: how many were left out, and how many went another way and ran. A graph's replay counts as one."""

    skipped: int = 0
    ran: int = 0


class Ablated:
    """A forward without its kernels; `seen` says of the last call what was left out, and what PyTorch did."""

    def __init__(self, forward: Forward) -> None:
        self.forward = forward
        self.seen: Header = {"skipped": 0, "ran": 0, "operations": [], "flops": 0.0}

    def __call__(self, *inputs: torch.Tensor) -> Any:
        with without_kernels() as launches, counting() as census:
            output = self.forward(*inputs)
        self.seen = {
            "skipped": launches.skipped,
            "ran": launches.ran,
            "operations": list(census.ops)[:_MOST_OPERATIONS],
            "flops": census.flops,
        }
        return output


@contextlib.contextmanager
def without_kernels() -> Iterator[Launches]:
    """Inside, no TileLang kernel is launched by calling it, be it compiled or interpreted."""
    launches = Launches()

    def skip(kernel: Any, *args: Any, **options: Any) -> Any:
        launches.skipped += 1
        with torch._C.DisableTorchFunction(), _disable_current_modes():
            return _overwritten(kernel, args)

    def count(original: Any) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            launches.ran += 1
            return original(*args, **options)

        return call

    replaced = [
        (JITKernel, "__call__", skip),
        (CapturedKernel, "__call__", skip),
        (TVMFFIKernelAdapter, "_get_executable", count(TVMFFIKernelAdapter._get_executable)),
        (torch.cuda.CUDAGraph, "replay", count(torch.cuda.CUDAGraph.replay)),
    ]
    with contextlib.ExitStack() as stack:
        for owner, name, value in replaced:
            stack.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, value)
        yield launches


def written_parameters(prim_func: tirx.PrimFunc) -> set[int]:
    """Places of the parameters that the function may write to."""
    owners = {
        prim_func.buffer_map[param].data: place
        for place, param in enumerate(prim_func.params)
        if param in prim_func.buffer_map
    }
    written = {memory for node in nodes(prim_func.body) for memory in _written_by(node)}
    return {place for memory, place in owners.items() if memory in written}


def _overwritten(kernel: Any, args: Sequence[Any]) -> Any:
    """What a call of the kernel returns, with large numbers in all that it would have written."""
    default = torch.device("cuda" if isinstance(kernel, JITKernel) else "cpu")
    device = next((argument.device for argument in args if isinstance(argument, torch.Tensor)), default)
    out_idx = list(kernel.out_idx)
    full = allocate_outputs(kernel.prim_func, out_idx, args, device)
    for place in {*out_idx, *written_parameters(kernel.prim_func)}:
        if isinstance(full[place], torch.Tensor):
            _fill(full[place])
    return returned(kernel, full)


def _fill(tensor: torch.Tensor) -> None:
    generator = torch.Generator(tensor.device)  # one of its own: a module's random numbers stay what they are
    chance = torch.rand(tensor.shape, device=tensor.device, generator=generator) - 0.5
    if tensor.is_floating_point():
        tensor.copy_(chance.sign_().mul_(min(_LARGE, torch.finfo(tensor.dtype).max / 2)))
    elif tensor.dtype is torch.bool:
        tensor.copy_(chance < 0)
    else:
        tensor.fill_(min(_LARGE_ODD, torch.iinfo(tensor.dtype).max))


def _written_by(node: Any) -> Iterator[tirx.Var]:
    """The memory that a node of TileLang's parser writes: element by element, as a tile, or through a pointer."""
    if isinstance(node, tirx.BufferStore):
        yield node.buffer.data
    elif isinstance(node, tirx.Call) and node.args:
        name, first = op_name(node), node.args[0]
        if name in ("tl.region", "tl.access_ptr") and _writes(node.args[1 if name == "tl.region" else 2]):
            yield first.buffer.data
        elif name.endswith(".tvm_access_ptr") and _writes(node.args[4]):
            yield node.args[1]
        elif name.endswith(".address_of") and isinstance(first, tirx.BufferLoad):
            yield first.buffer.data


def _writes(mask: Any) -> bool:
    return bool(int(mask) & _WRITES)
