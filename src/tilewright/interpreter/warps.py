"""What do threads see of each other: shuffles, warp and block reductions, their own numbers?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from tilewright.interpreter import tir
from tilewright.interpreter.compiler import CALLS, Action, Code, Scope, compile_expression, compiles
from tilewright.interpreter.frame import Frame
from tilewright.interpreter.report import Unsupported
from tilewright.interpreter.stores import compile_store
from tilewright.interpreter.values import (
    OUTSIDE,
    Value,
    as_tensor,
    compute_dtype,
    lane_numbers,
    lifted,
    thread_axis,
    varies_by_thread,
)

WARP = 32

_WARP_REDUCE: dict[str, Callable[[Tensor], Tensor]] = {
    "tl.warp_reduce_sum": lambda x: x.sum(2, keepdim=True),
    "tl.warp_reduce_max": lambda x: x.amax(2, keepdim=True),
    "tl.warp_reduce_min": lambda x: x.amin(2, keepdim=True),
}
_THREAD_REDUCE: dict[str, Callable[[Tensor, list[int]], Tensor]] = {
    "Add": lambda x, axes: x.sum(axes, keepdim=True),
    "Max": lambda x, axes: x.amax(axes, keepdim=True),
    "Min": lambda x, axes: x.amin(axes, keepdim=True),
}


@compiles(CALLS, "tl.launch_thread_idx")
def _thread_index(call: tir.Call, scope: Scope) -> Code:
    dimension = int(call.args[0])
    numbers = lane_numbers(thread_axis(dimension), scope.program.threads[dimension], scope.rank)
    return lambda frame: numbers


@compiles(CALLS, "tl.get_lane_idx", "tl.get_warp_idx", "tl.get_warp_idx_sync", "tl.get_warp_group_idx")
def _warp_index(call: tir.Call, scope: Scope) -> Code:
    linear = torch.arange(scope.program.thread_count)
    name = tir.op_name(call)
    if name == "tl.get_lane_idx":
        numbers = linear % WARP
    else:
        numbers = linear // (4 * WARP if "group" in name else WARP)
    shaped = lifted(_as_lanes(numbers.reshape(1, -1), scope), scope.rank)
    return lambda frame: shaped


@compiles(CALLS, *_WARP_REDUCE)
def _warp_reduce(call: tir.Call, scope: Scope) -> Code:
    value, reduce = compile_expression(call.args[0], scope), _WARP_REDUCE[tir.op_name(call)]
    threads, dtype = scope.program.thread_count, compute_dtype(str(call.dtype))
    if threads % WARP:
        raise Unsupported(f"warp reduction in a block of {threads} threads")

    def evaluate(frame: Frame) -> Value:
        lanes = _each_thread(value(frame), scope, dtype)
        warps = lanes.unflatten(1, (threads // WARP, WARP))
        return _as_lanes(reduce(warps).to(dtype).expand_as(warps).flatten(1, 2), scope)

    return evaluate


@compiles(
    CALLS,
    "tl.shfl_xor_sync",
    "tl.shfl_down_sync",
    "tl.shfl_up_sync",
    "tl.shfl_sync",
    "tirx.tvm_warp_shuffle",
    "tirx.tvm_warp_shuffle_down",
    "tirx.tvm_warp_shuffle_up",
)
def _shuffle(call: tir.Call, scope: Scope) -> Code:
    name = tir.op_name(call)
    value, amount = compile_expression(call.args[1], scope), compile_expression(call.args[2], scope)
    width = tir.constant(call.args[3]) if len(call.args) > 3 else WARP
    if width is None:
        raise Unsupported(f"{name} of a width that is not constant")
    threads, dtype = scope.program.thread_count, compute_dtype(str(call.dtype))
    linear = torch.arange(threads)
    lane, base = linear % width, linear - linear % width

    def evaluate(frame: Frame) -> Value:
        lanes = _each_thread(value(frame), scope, dtype)
        step = amount(frame)
        if isinstance(step, Tensor):
            step = _each_thread(step, scope, torch.int64)
            if step.numel() != threads:
                raise Unsupported(f"{name} by an amount that differs between blocks")
            step = step.reshape(-1)
        if "xor" in name:
            source = lane ^ step
        elif "down" in name:
            source = lane + step
        elif "up" in name:
            source = lane - step
        else:
            source = (lane * 0 + step) % width
        source = torch.where((source < 0) | (source >= width), lane, source)
        return _as_lanes(lanes.index_select(1, (base + source).clamp(max=threads - 1)), scope)

    return evaluate


_VOTES: dict[str, Callable[[Tensor], Tensor]] = {
    "tl.any_sync": lambda x: x.amax(2, keepdim=True),
    "tl.all_sync": lambda x: x.amin(2, keepdim=True),
    "tl.syncthreads_or": lambda x: x.amax((1, 2), keepdim=True),
    "tl.syncthreads_and": lambda x: x.amin((1, 2), keepdim=True),
    "tl.syncthreads_count": lambda x: x.sum((1, 2), keepdim=True),
}


@compiles(CALLS, *_VOTES)
def _vote(call: tir.Call, scope: Scope) -> Code:
    vote = _VOTES[tir.op_name(call)]
    predicate = compile_expression(call.args[len(call.args) - 1], scope)
    threads = scope.program.thread_count
    if threads % WARP:
        raise Unsupported(f"warp vote in a block of {threads} threads")

    def evaluate(frame: Frame) -> Value:
        lanes = _each_thread(predicate(frame), scope, torch.int64).ne(0).to(torch.int64)
        warps = lanes.unflatten(1, (threads // WARP, WARP))
        return _as_lanes(vote(warps).expand_as(warps).flatten(1, 2), scope)

    return evaluate


def compile_thread_allreduce(attribute: Any, scope: Scope) -> Action:
    """`T.tvm_thread_allreduce` inside its `reduce_scope` attribute: over the thread axes that it names."""
    call = getattr(attribute.body, "value", attribute.body)
    args = list(call.args)
    count = int(args[0])
    operator_name = type(attribute.node.result[0]).__name__
    if count != 1 or operator_name not in _THREAD_REDUCE:
        raise Unsupported(f"thread all-reduce of {count} values with {operator_name}")
    reduce = _THREAD_REDUCE[operator_name]
    value, condition = compile_expression(args[1], scope), compile_expression(args[2], scope)
    target = args[2 + count]
    write = compile_store(target.buffer, list(target.indices), scope)
    thread_vars, dtype = scope.program.thread_vars, compute_dtype(str(args[1].dtype))
    axes = [thread_axis(thread_vars[var]) for var in args[3 + count :] if var in thread_vars]

    def run(frame: Frame) -> None:
        if frame.mask is not None and varies_by_thread(frame.mask):
            raise Unsupported("thread all-reduce that not all threads reach")
        if condition(frame) is False:
            return
        lanes = _as_lanes(_each_thread(value(frame), scope, dtype), scope)
        write(frame, reduce(lanes, axes).to(dtype))

    return run


def _each_thread(value: Value, scope: Scope, dtype: torch.dtype) -> Tensor:
    """One axis for all threads of a block, in the order of warps."""
    lanes = as_tensor(value, scope.rank, dtype)
    x, y, z = scope.program.threads
    return lanes.expand(lanes.shape[0], z, y, x, *lanes.shape[OUTSIDE:]).flatten(1, 3)


def _as_lanes(threads: Tensor, scope: Scope) -> Tensor:
    """Back to an axis for each dimension of the block."""
    x, y, z = scope.program.threads
    return threads.unflatten(1, (z, y, x))
