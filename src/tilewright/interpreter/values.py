"""How is one TIR value held for all threads at once?

A value is a Python scalar where all lanes agree, else a tensor whose axes are lanes: axis 0 the thread blocks run in
lock step, axes 1 to 3 the threads of a block (z, y, x: they flatten to the order in which threads form warps), then
one axis for each enclosing T.Parallel loop (or tile axis). Size 1 means that the lanes along that axis agree.
Integers are computed in int64; floats in their own dtype, rounded at each operation as the GPU does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

from tilewright.interpreter.report import Unsupported

Value: TypeAlias = bool | int | float | Tensor
Mask: TypeAlias = Tensor | None
"""Which lanes are active: None for all."""

THREAD_AXES = (1, 2, 3)
OUTSIDE = 4  # lane axes outside of T.Parallel loops and tiles

_STORED_AS = {
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "float32": torch.float32,
    "float64": torch.float64,
    "custom[tfloat32]": torch.float32,
    "float8_e4m3": torch.float8_e4m3fn,
    "float8_e4m3fn": torch.float8_e4m3fn,
    "float8_e5m2": torch.float8_e5m2,
    "bool": torch.bool,
}
_INTEGER_BITS = {f"{sign}int{bits}": bits for sign in ("", "u") for bits in (8, 16, 32, 64)}
_EIGHT_BIT_FLOATS = (torch.float8_e4m3fn, torch.float8_e5m2)
NARROW_FLOATS = (torch.float16, torch.bfloat16, *_EIGHT_BIT_FLOATS)

# Uninitialised integers read as this: far outside any index range, and an unlikely right answer.
INTEGER_POISON = 0x55555555


def is_integer(dtype: str) -> bool:
    return dtype in _INTEGER_BITS


def compute_dtype(dtype: str) -> torch.dtype:
    """The torch dtype in which values of a TIR dtype are computed, and held in shared and private memory."""
    if dtype in _INTEGER_BITS:
        return torch.int64
    if dtype not in _STORED_AS:
        raise Unsupported(f"dtype {dtype}")
    return _STORED_AS[dtype]


def lift(value: Value, rank: int) -> Value:
    """The same value seen from inside more loops: trailing axes of size 1."""
    if isinstance(value, Tensor) and value.ndim < rank:
        return value.reshape(value.shape + (1,) * (rank - value.ndim))
    return value


def both(mask: Mask, condition: Tensor, rank: int) -> Tensor:
    """The lanes of `mask` where `condition` holds."""
    return condition if mask is None else lifted(mask, rank) & condition


def any_thread(mask: Mask) -> Mask:
    """What a block does together happens when any of its threads is active (warp roles)."""
    return mask if mask is None or not varies_by_thread(mask) else mask.any(THREAD_AXES, keepdim=True)


def varies_by_thread(value: Tensor) -> bool:
    return any(size > 1 for size in value.shape[1:OUTSIDE])


def thread_axis(dimension: int) -> int:
    """The lane axis of threadIdx.x (0), y (1) or z (2)."""
    return THREAD_AXES[-1] - dimension


def lifted(tensor: Tensor, rank: int) -> Tensor:
    return tensor.reshape(tensor.shape + (1,) * (rank - tensor.ndim)) if tensor.ndim < rank else tensor


def lane_numbers(axis: int, extent: int, rank: int) -> Tensor:
    """0, 1, ... along one lane axis of `rank`."""
    return torch.arange(extent).reshape([1] * axis + [extent] + [1] * (rank - axis - 1))


def agreed(value: Tensor, name: str) -> Tensor:
    """A value used inside a T.Parallel loop, whose iterations the compiler deals out to the threads: it must not
    matter which thread runs which."""
    if not varies_by_thread(value):
        return value
    first = value[:, :1, :1, :1]
    same = value == first
    if value.is_floating_point():
        same = same | (value.isnan() & first.isnan())
    if not bool(same.all()):
        raise Unsupported(f"{name} differs between threads, and a T.Parallel loop decides which thread uses it")
    return first


def common_lanes(*shapes: Sequence[int]) -> list[int]:
    """What shapes of one rank broadcast to (`torch.broadcast_shapes` takes 70 us)."""
    return [max(sizes) for sizes in zip(*shapes)]


def as_tensor(value: Value, rank: int, dtype: torch.dtype) -> Tensor:
    if isinstance(value, Tensor):
        return lifted(value, rank)
    return torch.full([1] * rank, value, dtype=dtype)


def cast(value: Value, dtype: str) -> Value:
    """C conversion: floats rounded to nearest even, integers wrapped, floats to integers cut. To 8-bit floats what is
    too large becomes the largest, as the GPU's conversion (`cvt.rn.satfinite`) does and torch does not."""
    if is_integer(dtype):
        return _to_integer(value, dtype)
    target = compute_dtype(dtype)
    if isinstance(value, Tensor):
        if value.dtype == target:
            return value
        if target in _EIGHT_BIT_FLOATS:
            value = value.float().clamp(-torch.finfo(target).max, torch.finfo(target).max)
        return value.to(target)
    if dtype == "bool":
        return bool(value)
    return rounded_scalar(float(value), target)


def rounded_scalar(value: float, dtype: torch.dtype) -> float:
    """float32 scalars stay in double: they meet tensors of their dtype, which round."""
    if dtype in _EIGHT_BIT_FLOATS:
        most = torch.finfo(dtype).max
        value = min(max(value, -most), most)
    return float(torch.tensor(value, dtype=dtype).item()) if dtype in NARROW_FLOATS else value


def wrapped(value: Any, dtype: str) -> Any:
    """An integer reduced to the range of `dtype` (modulo its width)."""
    bits = _INTEGER_BITS[dtype]
    if bits == 64:
        return value
    low = value & ((1 << bits) - 1)
    if dtype.startswith("u"):
        return low
    half = 1 << (bits - 1)
    return (low ^ half) - half


def _to_integer(value: Value, dtype: str) -> Value:
    if isinstance(value, Tensor):
        whole = value if value.dtype == torch.int64 else value.to(torch.int64)
        return whole if _INTEGER_BITS[dtype] == 64 else wrapped(whole, dtype)
    if isinstance(value, float) and not math.isfinite(value):
        return 0 if math.isnan(value) else wrapped(2**63 - 1 if value > 0 else -(2**63), dtype)
    return int(wrapped(int(value), dtype))
