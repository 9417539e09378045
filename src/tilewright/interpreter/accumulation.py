"""Which stores in a T.Parallel loop are reductions rather than races?"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from tilewright.interpreter import tir
from tilewright.interpreter.compiler import Action, Scope, compile_expression
from tilewright.interpreter.frame import Frame
from tilewright.interpreter.loads import compile_load
from tilewright.interpreter.memory import scope_of
from tilewright.interpreter.stores import compile_store
from tilewright.interpreter.tir import tirx
from tilewright.interpreter.values import OUTSIDE, as_tensor, common_lanes, compute_dtype, lifted

_Reduce = Callable[[Tensor, list[int]], Tensor]
_Combine = Callable[[Tensor, Tensor], Tensor]
_ACCUMULATIONS: dict[str, tuple[float, _Reduce, _Combine]] = {
    "Add": (0.0, lambda x, axes: x.sum(axes, keepdim=True), torch.add),
    "Max": (-math.inf, lambda x, axes: x.amax(axes, keepdim=True), torch.maximum),
    "Min": (math.inf, lambda x, axes: x.amin(axes, keepdim=True), torch.minimum),
}


def fragment_accumulation(stmt: Any, scope: Scope) -> Action | None:
    """`f[i] = f[i] + e(i, j)` in T.Parallel(i, j) on a fragment: TileLang gives all j of one i to the thread that
    owns f[i], one after another, so it is a sum over j and no race."""
    buffer, value, indices = stmt.buffer, stmt.value, list(stmt.indices)
    if type(value).__name__ not in _ACCUMULATIONS or scope_of(buffer) not in ("local.fragment", "local.reducer"):
        return None
    if tir.same_element(value.a, buffer, indices):
        own, term = value.a, value.b
    elif tir.same_element(value.b, buffer, indices):
        own, term = value.b, value.a
    else:
        return None
    return accumulate(type(value).__name__, buffer, indices, own, term, scope)


def accumulate(
    kind: str, buffer: tir.Buffer, indices: list[tir.Expr], own: tir.Expr, term: tir.Expr, scope: Scope
) -> Action | None:
    """Combine `term` into the element over the lane axes that its address does not vary along; None if
    none."""
    named: set[tir.Var] = set()
    for index in indices:
        named |= tir.variables(index)
    inner = [axis for var, axis in scope.axes.items() if axis.position >= OUTSIDE and var not in named]
    if not inner or any(
        isinstance(node, tirx.BufferLoad) and node.buffer.data.same_as(buffer.data) for node in tir.nodes(term)
    ):
        return None
    neutral, reduce, combine = _ACCUMULATIONS[kind]
    old, new = compile_load(own.buffer, list(own.indices), scope), compile_expression(term, scope)
    write = compile_store(buffer, indices, scope)
    rank, dtype, axes = scope.rank, compute_dtype(str(buffer.dtype)), [axis.position for axis in inner]
    if not dtype.is_floating_point:
        neutral = {"Add": 0, "Max": torch.iinfo(dtype).min, "Min": torch.iinfo(dtype).max}[kind]

    def run(frame: Frame) -> None:
        terms = as_tensor(new(frame), rank, dtype)
        mask = None if frame.mask is None else lifted(frame.mask, rank)
        shape = list(terms.shape)
        for axis in inner:
            shape[axis.position] = axis.extent
        if mask is not None:
            shape = common_lanes(shape, mask.shape)
            terms = torch.where(mask, terms, torch.tensor(neutral, dtype=terms.dtype))
        total = combine(as_tensor(old(frame), rank, dtype), reduce(terms.expand(shape), axes).to(dtype))
        outer = frame.mask
        if mask is not None:
            frame.mask = mask.amax(axes, keepdim=True)
        write(frame, total)
        frame.mask = outer

    return run
