"""What does a TileLang launcher do with its arguments: which does it refuse, which does it allocate?

Mirrors the launcher that TileLang 0.1.15 generates (argument count, dtype, rank, shape and layout are checked
before a launch; the tensors named by `out_idx` are allocated with `torch.empty` and returned)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tilelang
import torch
from tvm import tirx

Argument = Any
"""A tensor for a buffer parameter, a number for a scalar one."""


class ArgumentError(Exception):
    """The launcher would refuse these arguments; the kernel never starts."""


def normalized_out_idx(prim_func: tirx.PrimFunc, out_idx: int | Sequence[int] | None) -> list[int]:
    """Non-negative indices of the parameters that the launcher allocates and returns."""
    if out_idx is None:
        return []
    count = len(prim_func.params)
    given = [out_idx] if isinstance(out_idx, int) else [int(i) for i in out_idx]
    for index in given:
        if not -count <= index < count:
            raise ArgumentError(f"out_idx {index} is out of range for a kernel with {count} parameters")
    normal = [index % count for index in given]
    if len(set(normal)) != len(normal):
        raise ArgumentError(f"out_idx {given} names an output twice")
    return normal


def allocate_outputs(
    prim_func: tirx.PrimFunc,
    out_idx: Sequence[int],
    inputs: Sequence[Argument],
    device: torch.device | str = "cpu",
) -> list[Argument]:
    """The full parameter list in order: `inputs`, and between them fresh outputs on `device`.

    Floating outputs are filled with NaN, so that an element which the kernel never writes shows; the other
    outputs hold a fixed odd pattern for the same reason. Symbolic shapes are resolved from the inputs."""
    outputs = normalized_out_idx(prim_func, out_idx)
    params = list(prim_func.params)
    expected = len(params) - len(outputs)
    if len(inputs) != expected:
        raise ArgumentError(f"the kernel expected {expected} inputs, but {len(inputs)} are given")
    remaining = iter(inputs)
    full: list[Argument] = [None if i in outputs else next(remaining) for i in range(len(params))]
    sizes = _symbolic_sizes(prim_func, full)
    for index in outputs:
        buffer = prim_func.buffer_map.get(params[index])
        if buffer is None:
            raise ArgumentError(f"out_idx {index} names the scalar parameter {params[index].name}")
        shape = [_resolved(extent, sizes) for extent in buffer.shape]
        full[index] = _poisoned(torch.empty(shape, dtype=torch_dtype(str(buffer.dtype)), device=device))
    return full


def check_arguments(prim_func: tirx.PrimFunc, tensors: Sequence[Argument]) -> None:
    """Raise `ArgumentError` for what the launcher would refuse; `tensors` is the full parameter list."""
    params = list(prim_func.params)
    if len(tensors) != len(params):
        raise ArgumentError(f"the kernel has {len(params)} parameters, but {len(tensors)} are given")
    sizes: dict[Any, int] = {}
    for param, value in zip(params, tensors):
        if param in prim_func.buffer_map:
            _check_tensor(prim_func.buffer_map[param], value, sizes)
        elif isinstance(value, torch.Tensor):
            raise ArgumentError(f"parameter {param.name} is a {param.dtype} scalar, but a tensor is given")
        elif not isinstance(value, (bool, int, float)):
            raise ArgumentError(f"parameter {param.name} is a {param.dtype} scalar, got {type(value).__name__}")


def torch_dtype(name: str) -> torch.dtype:
    """The torch dtype in which a TileLang dtype arrives at the launcher; `ArgumentError` when torch has
    none."""
    alias = {"float8_e4m3": "float8_e4m3fn"}.get(name, name)
    dtype = getattr(torch, alias, None)
    if not isinstance(dtype, torch.dtype):
        raise ArgumentError(f"torch has no dtype for TileLang's {name}")
    return dtype


def _check_tensor(buffer: tirx.Buffer, value: Argument, sizes: dict[Any, int]) -> None:
    if not isinstance(value, torch.Tensor):
        raise ArgumentError(f"parameter {buffer.name} is a tensor, got {type(value).__name__}")
    if value.dtype != torch_dtype(str(buffer.dtype)):
        raise ArgumentError(f"parameter {buffer.name} expects {buffer.dtype}, got {value.dtype}")
    if value.dim() != len(buffer.shape):
        raise ArgumentError(
            f"parameter {buffer.name} has {len(buffer.shape)} dimensions, got shape {tuple(value.shape)}"
        )
    for axis, (extent, size) in enumerate(zip(buffer.shape, value.shape)):
        if isinstance(extent, tirx.Var):
            wanted = sizes.setdefault(extent, size)
        elif isinstance(extent, tirx.IntImm):
            wanted = int(extent)
        else:
            continue  # an expression of other sizes; the launcher asserts it on the device side only
        if wanted != size:
            raise ArgumentError(
                f"parameter {buffer.name} expects size {wanted} in dimension {axis}, got shape {tuple(value.shape)}"
            )
    if _strides_differ(buffer, value, sizes):
        raise ArgumentError(
            f"parameter {buffer.name} must be contiguous, got shape {tuple(value.shape)} "
            f"with strides {value.stride()}; call .contiguous() first"
        )


def _strides_differ(buffer: tirx.Buffer, value: torch.Tensor, sizes: dict[Any, int]) -> bool:
    if not len(buffer.strides):
        return not value.is_contiguous()
    for wanted, stride, size in zip(buffer.strides, value.stride(), value.shape):
        if isinstance(wanted, tirx.Var):  # T.StridedTensor: whatever the caller has
            wanted = sizes.setdefault(wanted, stride)
        if size > 1 and _resolved(wanted, sizes) != stride:
            return True
    return False


def _symbolic_sizes(prim_func: tirx.PrimFunc, full: Sequence[Argument | None]) -> dict[Any, int]:
    sizes: dict[Any, int] = {}
    for param, value in zip(prim_func.params, full):
        if value is None:
            continue
        buffer = prim_func.buffer_map.get(param)
        if buffer is None:
            sizes[param] = value
        elif isinstance(value, torch.Tensor):
            for extent, size in zip(buffer.shape, value.shape):
                if isinstance(extent, tirx.Var):
                    sizes.setdefault(extent, size)
    return sizes


def _resolved(extent: Any, sizes: dict[Any, int]) -> int:
    if isinstance(extent, (int, tirx.IntImm)):
        return int(extent)
    if isinstance(extent, tirx.Var):
        if extent not in sizes:
            raise ArgumentError(f"no argument tells the symbolic size {extent.name}")
        return int(sizes[extent])
    known = {var: tirx.IntImm(str(var.dtype), size) for var, size in sizes.items()}
    value = tilelang.tvm.arith.Analyzer().simplify(tirx.stmt_functor.substitute(extent, known))
    if not isinstance(value, tirx.IntImm):
        raise ArgumentError(f"no argument tells the symbolic size {extent}")
    return int(value)


def _poisoned(tensor: torch.Tensor) -> torch.Tensor:
    if tensor.is_floating_point():
        return tensor.fill_(float("nan"))
    if tensor.dtype == torch.bool:
        return tensor.fill_(True)
    return tensor.fill_(85)  # 0x55: in range for every integer dtype, and no likely result
