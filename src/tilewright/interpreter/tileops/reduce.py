"""What do T.reduce_* and reducers (T.alloc_reducer) leave?"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import torch
from torch import Tensor

from tilewright.interpreter import tir
from tilewright.interpreter.accumulation import accumulate
from tilewright.interpreter.compiler import CALLS, EFFECTS, Action, Code, Scope, compile_expression, compiles
from tilewright.interpreter.frame import Frame
from tilewright.interpreter.loads import compile_load
from tilewright.interpreter.memory import is_private
from tilewright.interpreter.report import Unsupported
from tilewright.interpreter.stores import compile_store
from tilewright.interpreter.tileops.registry import over, tile_load, tile_op, tile_store
from tilewright.interpreter.values import NARROW_FLOATS, Value, as_tensor, compute_dtype


def _fold(step: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, int], Tensor]:
    def fold(tensor: Tensor, axis: int) -> Tensor:
        parts = tensor.unbind(axis)
        total = parts[0]
        for part in parts[1:]:
            total = step(total, part)
        return total

    return fold


_KINDS: dict[str, tuple[Callable[[Tensor, int], Tensor], Callable[[Tensor, Tensor], Tensor]]] = {
    "sum": (lambda x, axis: x.sum(axis), torch.add),
    "max": (lambda x, axis: x.amax(axis), torch.maximum),
    "min": (lambda x, axis: x.amin(axis), torch.minimum),
    "abssum": (lambda x, axis: x.abs().sum(axis), torch.add),
    "absmax": (lambda x, axis: x.abs().amax(axis), torch.maximum),
    "bitand": (_fold(torch.bitwise_and), torch.bitwise_and),
    "bitor": (_fold(torch.bitwise_or), torch.bitwise_or),
    "bitxor": (_fold(torch.bitwise_xor), torch.bitwise_xor),
}
_START = {"sum": 0.0, "max": -math.inf, "min": math.inf}
_STEP = {"sum": "Add", "max": "Max", "min": "Min"}


@tile_op("reduce")
def _reduce(call: tir.Call, scope: Scope) -> Action:
    source, target = tir.region_of(call.args[0]), tir.region_of(call.args[1])
    kind, axis, clear = str(call.args[2].value), int(call.args[3]), bool(call.args[4])
    if kind not in _KINDS:
        raise Unsupported(f"reduce {kind}")
    reduce, combine = _KINDS[kind]
    dtype = compute_dtype(str(target.buffer.dtype))
    axis %= len(source.extents)
    if is_private(source.buffer) and is_private(target.buffer):
        return _reduce_private(source, target, kind, axis, clear, scope)
    load, old, write = tile_load(source, scope), tile_load(target, scope), tile_store(target, scope)
    rank, source_dtype = scope.rank, compute_dtype(str(source.buffer.dtype))
    kept = len(target.extents) == len(source.extents)
    scalar = len(source.extents) == 1 and not kept  # a vector reduced to a buffer of no dimension

    def run(frame: Frame) -> None:
        tile = as_tensor(load(frame), rank + len(source.extents), source_dtype)
        tile = tile.expand(*tile.shape[:rank], *source.extents)
        if tile.dtype in NARROW_FLOATS:
            tile = tile.float()
        result = reduce(tile, rank + axis)
        if kept:
            result = result.unsqueeze(rank + axis)
        elif scalar and target.extents:
            result = result.unsqueeze(rank)
        if not clear:
            before = as_tensor(old(frame), result.ndim, dtype)
            result = combine(before.to(result.dtype), result)
        write(frame, result.to(dtype))

    return run


def _reduce_private(
    source: tir.Region, target: tir.Region, kind: str, axis: int, clear: bool, scope: Scope
) -> Action:
    """Each thread reduces its own elements."""
    reduce, combine = _KINDS[kind]
    dtype = compute_dtype(str(target.buffer.dtype))
    kept = len(target.extents) == len(source.extents)
    outputs = []
    others = [range(n) for i, n in enumerate(source.extents) if i != axis]
    for place in itertools.product(*others):
        full = [
            [first + n for first, n in zip(source.offsets, (*place[:axis], k, *place[axis:]))]
            for k in range(source.extents[axis])
        ]
        at: tuple[int, ...] = (*place[:axis], 0, *place[axis:]) if kept else place
        target_at = [first + n for first, n in zip(target.offsets, at or (0,))]
        outputs.append(
            (
                [compile_load(source.buffer, indices, scope) for indices in full],
                compile_load(target.buffer, target_at, scope),
                compile_store(target.buffer, target_at, scope),
            )
        )

    def run(frame: Frame) -> None:
        for loads, old, write in outputs:
            parts = [as_tensor(load(frame), scope.rank, dtype) for load in loads]
            result = reduce(torch.stack(torch.broadcast_tensors(*parts)), 0)
            if not clear:
                result = combine(as_tensor(old(frame), scope.rank, dtype), result)
            write(frame, result.to(dtype))

    return run


@tile_op("reducer_init")
def _reducer_init(call: tir.Call, scope: Scope) -> Action:
    region = tir.region_of(call.args[0])
    inner, _ = over(region.extents, scope)
    write = tile_store(region, scope)
    if len(call.args) > 1:
        value = compile_expression(call.args[1], inner)
        return lambda frame: write(frame, value(frame))
    start: Value = _START[_operator(region.buffer, scope)]
    return lambda frame: write(frame, start)


@compiles(EFFECTS, "tl.reducer_update")
def _reducer_update(call: tir.Call, scope: Scope) -> Action:
    target, term = call.args[0], call.args[1]
    kind = _STEP[_operator(target.buffer, scope)]
    action = accumulate(kind, target.buffer, list(target.indices), target, term, scope)
    if action is not None:
        return action
    old, new = compile_expression(target, scope), compile_expression(term, scope)
    write = compile_store(target.buffer, list(target.indices), scope)
    combine = _KINDS[_operator(target.buffer, scope)][1]
    dtype, rank = compute_dtype(str(target.buffer.dtype)), scope.rank
    return lambda frame: write(frame, combine(as_tensor(old(frame), rank, dtype), as_tensor(new(frame), rank, dtype)))


@tile_op("finalize_reducer")
def _finalize_in_place(call: tir.Call, scope: Scope) -> Action:
    return lambda frame: None  # one copy for the block holds the result already


@tile_op("finalize_reducer_v2")
def _finalize(call: tir.Call, scope: Scope) -> Action:
    load, write = tile_load(tir.region_of(call.args[0]), scope), tile_store(tir.region_of(call.args[1]), scope)
    return lambda frame: write(frame, load(frame))


@compiles(CALLS, "tl.any_of", "tl.all_of")
def _said_of_all(call: tir.Call, scope: Scope) -> Code:
    """Whether any, or every, element from one on is true."""
    element, count = tir.pointed_element(call.args[0]), tir.constant(call.args[1])
    if element is None or count is None:
        raise Unsupported(f"{tir.op_name(call)} of a part of memory whose size is not constant")
    inner, (counter,) = over([count], scope)
    indices = list(element.indices)
    if all(tir.constant(index) == 0 for index in indices):
        indices, rest = [], counter
        for extent in reversed(list(element.buffer.shape)):
            indices.insert(0, rest % extent)
            rest = rest // extent
    else:
        indices[-1] = indices[-1] + counter
    load, some = compile_load(element.buffer, indices, inner), tir.op_name(call) == "tl.any_of"

    def evaluate(frame: Frame) -> Value:
        values = as_tensor(load(frame), inner.rank, compute_dtype(str(element.buffer.dtype))) != 0
        return values.any(-1) if some else values.all(-1)

    return evaluate


def _operator(buffer: tir.Buffer, scope: Scope) -> str:
    kind = scope.program.reducers.get(buffer.data, "sum")
    if kind not in _START:
        raise Unsupported(f"a reducer of kind {kind}")
    return kind
