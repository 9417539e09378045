"""What do threads see of each other: shuffles, warp and block reductions, their own numbers?"""

from __future__ import annotations

import functools
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

_FULL_WARP = 0xFFFFFFFF

_WARP_REDUCE: dict[str, Callable[[Tensor], Tensor]] = {
    "tl.warp_reduce_sum": lambda x: x.sum(2, keepdim=True),
    "tl.warp_reduce_max": lambda x: x.amax(2, keepdim=True),
    "tl.warp_reduce_min": lambda x: x.amin(2, keepdim=True),
    "tl.warp_reduce_bitand": lambda x: functools.reduce(torch.bitwise_and, x.split(1, 2)),
    "tl.warp_reduce_bitor": lambda x: functools.reduce(torch.bitwise_or, x.split(1, 2)),
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
    """Optional arguments: threads in a warp, warps in a group."""
    given = [size for arg in call.args if (size := tir.constant(arg)) is not None]
    if len(given) < len(call.args):
        raise Unsupported(f"{tir.op_name(call)} of warps whose size is not constant")
    warp, group = [*given, *(WARP, 4)[len(given) :]]
    numbers = torch.arange(scope.program.thread_count)
    name = tir.op_name(call)
    if name == "tl.get_lane_idx":
        numbers = numbers % warp
    else:
        numbers = numbers // (warp * group if "group" in name else warp)
    shaped = lifted(_as_lanes(numbers.reshape(1, -1), scope), scope.rank)
    return lambda frame: shaped


@compiles(CALLS, "tl.tl_shuffle_elect")
def _elected(call: tir.Call, scope: Scope) -> Code:
    """The first thread of each group, or of the block."""
    group = tir.constant(call.args[0])
    if group is None or group % WARP:
        raise Unsupported("T.shuffle_elect of a group that is not made of whole warps")
    threads = scope.program.thread_count
    first = torch.arange(threads) % (group or threads) == 0
    shaped = lifted(_as_lanes(first.reshape(1, -1), scope), scope.rank)

    def evaluate(frame: Frame) -> Value:
        _check_whole_warps(frame, scope, "T.shuffle_elect")
        return shaped

    return evaluate


@compiles(CALLS, *_WARP_REDUCE)
def _warp_reduce(call: tir.Call, scope: Scope) -> Code:
    value, reduce, name = compile_expression(call.args[0], scope), _WARP_REDUCE[tir.op_name(call)], tir.op_name(call)
    threads, dtype = scope.program.thread_count, compute_dtype(str(call.dtype))
    if threads % WARP:
        raise Unsupported(f"warp reduction in a block of {threads} threads")

    def evaluate(frame: Frame) -> Value:
        _check_whole_warps(frame, scope, name)
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


_BIT = 1 << torch.arange(WARP)
_VOTES: dict[str, Callable[[Tensor], Tensor]] = {
    "tl.any_sync": lambda x: x.ne(0).amax(2, keepdim=True),
    "tl.all_sync": lambda x: x.ne(0).amin(2, keepdim=True),
    "tl.ballot": lambda x: _ballot(x.ne(0)),
    "tl.ballot_sync": lambda x: _ballot(x.ne(0)),
    "tl.activemask": lambda x: torch.tensor(_FULL_WARP),
    "tirx.tvm_warp_activemask": lambda x: torch.tensor(_FULL_WARP),
    "tl.match_any_sync": lambda x: _ballot(x.unsqueeze(2) == x.unsqueeze(3), 3).squeeze(3),
    "tl.match_all_sync": lambda x: (x == x[:, :, :1]).amin(2, keepdim=True) * _FULL_WARP,
    "tl.syncthreads_or": lambda x: x.ne(0).amax((1, 2), keepdim=True),
    "tl.syncthreads_and": lambda x: x.ne(0).amin((1, 2), keepdim=True),
    "tl.syncthreads_count": lambda x: x.ne(0).sum((1, 2), keepdim=True),
}
"""From [blocks, warps, lanes, ...] to what each lane is told."""


def _ballot(chosen: Tensor, lane_axis: int = 2) -> Tensor:
    shape = [1] * chosen.ndim
    shape[lane_axis] = WARP
    return (chosen * _BIT.view(shape)).sum(lane_axis, keepdim=True)


@compiles(CALLS, *_VOTES)
def _vote(call: tir.Call, scope: Scope) -> Code:
    name = tir.op_name(call)
    vote, threads = _VOTES[name], scope.program.thread_count
    if threads % WARP:
        raise Unsupported(f"warp vote in a block of {threads} threads")
    if name.endswith("_sync") and tir.constant(call.args[0]) != _FULL_WARP:
        raise Unsupported(f"{name} of some lanes of a warp")
    operand = compile_expression(call.args[len(call.args) - 1], scope) if len(call.args) else (lambda frame: 1)

    def evaluate(frame: Frame) -> Value:
        if "syncthreads" in name and frame.mask is not None and varies_by_thread(frame.mask):
            raise Unsupported(f"{name} that not all threads reach")
        _check_whole_warps(frame, scope, name)
        value = operand(frame)
        dtype = value.dtype if isinstance(value, Tensor) else torch.int64
        warps = _each_thread(value, scope, dtype).unflatten(1, (threads // WARP, WARP))
        told = vote(warps).to(torch.int64)
        return _as_lanes(told.expand(warps.shape).flatten(1, 2), scope)

    return evaluate


def _check_whole_warps(frame: Frame, scope: Scope, name: str) -> None:
    """What lanes of a warp do together is only known where all of them do it."""
    if frame.mask is None or not varies_by_thread(frame.mask):
        return
    warps = _each_thread(frame.mask, scope, torch.bool).unflatten(1, (-1, WARP))
    if not bool((warps == warps[:, :, :1]).all()):
        raise Unsupported(f"{name} that not all threads of a warp reach")


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
