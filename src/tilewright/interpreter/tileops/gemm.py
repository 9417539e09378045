"""What does T.gemm add to its accumulator?

Products of half-precision operands are exact in float32 and summed there, as tensor cores do. float32
operands are multiplied as such; a GPU rounds them to TF32 first."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from tilewright.interpreter import tir
from tilewright.interpreter.compiler import Action, Scope, compile_expression
from tilewright.interpreter.frame import Frame
from tilewright.interpreter.report import Unsupported
from tilewright.interpreter.tileops.registry import tile_load, tile_op, tile_store
from tilewright.interpreter.values import Value, as_tensor, compute_dtype, is_integer


@tile_op("gemm", "wgmma_gemm")
def _gemm(call: tir.Call, scope: Scope) -> Action:
    left, right, target = (tir.region_of(arg) for arg in call.args[:3])
    transpose_left, transpose_right = bool(call.args[3]), bool(call.args[4])
    clear = compile_expression(call.args[9], scope)
    load_left, load_right, load_target = (_matrices(region, scope) for region in (left, right, target))
    write = tile_store(target, scope)
    dtype = compute_dtype(str(target.buffer.dtype))
    # Integer products are exact in double: 8-bit operands, at most 2**31 of them.
    wide = torch.float64 if is_integer(str(target.buffer.dtype)) or dtype == torch.float64 else torch.float32
    tile_rank = scope.rank + len(target.extents)

    def run(frame: Frame) -> None:
        a, b = load_left(frame).to(wide), load_right(frame).to(wide)
        a = a.transpose(-1, -2) if transpose_left else a
        b = b.transpose(-1, -2) if transpose_right else b
        accumulator = load_target(frame)
        start = clear(frame)
        if isinstance(start, Tensor) and start.numel() == 1:
            start = bool(start)
        if dtype == wide and isinstance(start, (bool, int)) and _is_plain(accumulator, a, b, frame):
            accumulator.baddbmm_(a, b, beta=0 if start else 1)
            return
        product = torch.matmul(a, b)
        if isinstance(start, Tensor):
            total = torch.where(start.reshape(-1, 1, 1), product, product + accumulator)
        else:
            total = product if start else product + accumulator
        lanes = [total.shape[0]] + [1] * (tile_rank - 3) + list(total.shape[1:])
        write(frame, total.to(dtype).reshape(lanes))

    return run


def _is_plain(accumulator: Tensor, a: Tensor, b: Tensor, frame: Frame) -> bool:
    """Whether the accumulator is a view of the memory that can be updated in place."""
    return frame.mask is None and accumulator._base is not None and accumulator.shape[0] == a.shape[0] == b.shape[0]


def _matrices(region: tir.Region, scope: Scope) -> Callable[[Frame], Tensor]:
    """[blocks, rows, columns]; the region's dimensions before the last two have size 1."""
    load = tile_load(region, scope)
    rows, columns = region.extents[-2:]
    dtype = compute_dtype(str(region.buffer.dtype))

    def matrices(frame: Frame) -> Tensor:
        value: Value = load(frame)
        tensor = as_tensor(value, scope.rank + len(region.extents), dtype)
        if any(size != 1 for size in tensor.shape[1:-2]):
            raise Unsupported(f"a matrix operand {region.buffer.name} that differs between threads")
        return tensor.expand(*tensor.shape[:-2], rows, columns).reshape(tensor.shape[0], rows, columns)

    return matrices
