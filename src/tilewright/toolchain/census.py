"""What does PyTorch itself do in one forward: which operations, how many bytes, how much arithmetic?"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from tilewright.toolchain.modules import tensors_in

_ALLOCATIONS = {"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "lift_fresh"}
_ONLY_WRITES = {"zero_", "fill_", "zeros", "zeros_like", "ones", "ones_like", "full", "full_like", "new_zeros"}


@dataclass
class Census:
    """Operations by their dispatcher name with counts, the bytes of device memory they read and write when each
    reads its operands once, and the FLOP of products and convolutions (a multiply-add is two). Views and allocations
    are left out: they touch no memory."""

    ops: Counter[str] = field(default_factory=Counter)
    bytes: float = 0.0
    flops: float = 0.0


@contextmanager
def counting(scalar: float | None = None) -> Iterator[Census]:
    """Count what PyTorch runs inside the block.

    With `scalar`, reading a number out of a tensor without data answers that number instead of raising."""
    census = Census()
    counter = FlopCounterMode(display=False)
    with counter, _Counter(census, scalar):
        yield census
    census.flops = float(counter.get_total_flops())


def flops_of(call: Callable[[], object]) -> float | None:
    """FLOP of the products and convolutions in a call, plus one per element of each other result.

    None when PyTorch can't run it on tensors without data."""
    try:
        with FlopCounterMode(display=False) as counter, _Elements() as elements:
            call()
    except (RuntimeError, NotImplementedError):
        return None
    return float(counter.get_total_flops() + elements.count)


class _Counter(TorchDispatchMode):  # type: ignore[misc]  # torch is untyped here
    def __init__(self, census: Census, scalar: float | None) -> None:
        super().__init__()
        self._census = census
        self._scalar = scalar

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if self._scalar is not None and func is torch.ops.aten._local_scalar_dense.default and args[0].is_meta:
            return _number(self._scalar, args[0].dtype)
        result = func(*args, **kwargs)
        if not _is_free(func):
            operands = [] if _bare(func) in _ONLY_WRITES else tensors_in([args, list(kwargs.values())])
            self._census.ops[str(func)] += 1
            self._census.bytes += sum(map(_bytes, [*operands, *tensors_in(result)]))
        return result


class _Elements(TorchDispatchMode):  # type: ignore[misc]  # torch is untyped here
    """Counts elements written by operations that the FLOP counter does not know."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0.0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if not _is_free(func) and _bare(func) not in _ONLY_WRITES:
            read = max((t.numel() for t in tensors_in(list(args))), default=0)
            written = sum(t.numel() for t in tensors_in(result))
            self.count += max(read, written)
        return result


def _is_free(func: Any) -> bool:
    """Views share their operand's memory; allocations write nothing."""
    if _bare(func) in _ALLOCATIONS or "::profiler" in str(func):
        return True
    returns = func._schema.returns
    views = [r.alias_info is not None and not r.alias_info.is_write for r in returns]
    return (bool(views) and all(views)) or _bare(func) == "_unsafe_view"


def _bare(func: Any) -> str:
    return str(func).removeprefix("aten.").split(".")[0]


def _bytes(tensor: torch.Tensor) -> int:
    """What a tensor occupies: an expanded one is read from fewer bytes than it has elements."""
    own = math.prod(size for size, stride in zip(tensor.shape, tensor.stride()) if stride != 0)
    return int(own * tensor.element_size())


def _number(value: float, dtype: torch.dtype) -> float | int | bool:
    if dtype == torch.bool:
        return bool(value)
    return float(value) if dtype.is_floating_point else int(value)
