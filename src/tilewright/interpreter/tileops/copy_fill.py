"""What do T.copy, T.fill, T.clear and T.transpose move?"""

from __future__ import annotations

import itertools
from typing import Any

from tilewright.interpreter import tir
from tilewright.interpreter.compiler import Action, Scope, compile_expression
from tilewright.interpreter.frame import Frame
from tilewright.interpreter.loads import compile_load
from tilewright.interpreter.memory import is_private
from tilewright.interpreter.report import Unsupported
from tilewright.interpreter.stores import compile_store
from tilewright.interpreter.tileops.registry import over, proper_extents, tile_op, within
from tilewright.interpreter.tir import tirx
from tilewright.interpreter.values import cast


@tile_op("copy", "async_copy", "tma_copy")
def _copy(call: tir.Call, scope: Scope) -> Action:
    source, target = tir.region_of(call.args[0]), tir.region_of(call.args[1])
    extents = _common_extents(proper_extents(source), proper_extents(target))
    if is_private(source.buffer) or is_private(target.buffer):
        return _element_by_element(source, target, extents, scope)
    inner, counters = over(extents, scope)
    return _move(source, within(source, counters), target, within(target, counters), inner)


@tile_op("transpose")
def _transpose(call: tir.Call, scope: Scope) -> Action:
    source, target = tir.region_of(call.args[0]), tir.region_of(call.args[1])
    extents = proper_extents(source)
    if len(extents) != 2:
        raise Unsupported("a transpose that is not of a matrix")
    inner, counters = over(extents, scope)
    return _move(source, within(source, counters), target, within(target, counters[::-1]), inner)


@tile_op("fill")
def _fill(call: tir.Call, scope: Scope) -> Action:
    region = tir.region_of(call.args[0])
    extents = proper_extents(region)
    if is_private(region.buffer):
        value = compile_expression(call.args[1], scope)
        writes = [
            compile_store(region.buffer, within(region, place), scope, drops_outside=True)
            for place in _places(extents)
        ]

        def run(frame: Frame) -> None:
            for write in writes:
                write(frame, value(frame))

        return run
    inner, counters = over(extents, scope)
    value = compile_expression(call.args[1], inner)
    write = compile_store(region.buffer, within(region, counters), inner, drops_outside=True)
    return lambda frame: write(frame, value(frame))


def _common_extents(source: list[Any], target: list[Any]) -> list[Any]:
    if [str(extent) for extent in source] == [str(extent) for extent in target]:
        return source
    if len(source) == len(target) and all(isinstance(n, int) for n in source + target):
        return [min(pair) for pair in zip(source, target)]
    raise Unsupported(f"a copy of {source} elements to {target}")


def _move(
    source: tir.Region, source_at: list[tir.Expr], target: tir.Region, target_at: list[tir.Expr], scope: Scope
) -> Action:
    load = compile_load(source.buffer, source_at, scope)
    write = compile_store(target.buffer, target_at, scope, drops_outside=True)
    dtype = str(target.buffer.dtype)
    if dtype == str(source.buffer.dtype):
        return lambda frame: write(frame, load(frame))
    return lambda frame: write(frame, cast(load(frame), dtype))


def _element_by_element(source: tir.Region, target: tir.Region, extents: list[Any], scope: Scope) -> Action:
    """Thread memory: each thread copies its own elements."""
    moves = [_move(source, within(source, place), target, within(target, place), scope) for place in _places(extents)]

    def run(frame: Frame) -> None:
        for move in moves:
            move(frame)

    return run


def _places(extents: list[Any]) -> list[tuple[tir.Expr, ...]]:
    if not all(isinstance(extent, int) for extent in extents):
        raise Unsupported(f"thread memory of symbolic size {extents}")
    return list(itertools.product(*([tirx.IntImm("int32", n) for n in range(extent)] for extent in extents)))
