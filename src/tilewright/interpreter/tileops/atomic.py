"""What do T.atomic_add, T.atomic_max, T.atomic_min, T.atomic_or and their wide forms update, and return?"""

from __future__ import annotations

from tilewright.interpreter import tir
from tilewright.interpreter.atomics import compile_atomic, compile_fetch
from tilewright.interpreter.compiler import CALLS, EFFECTS, Action, Code, Scope, compile_expression, compiles
from tilewright.interpreter.frame import Frame
from tilewright.interpreter.loads import compile_load
from tilewright.interpreter.report import Unsupported
from tilewright.interpreter.stores import compile_store
from tilewright.interpreter.tileops.registry import over, proper_extents, tile_op, within
from tilewright.interpreter.values import Value

_WIDE = {"tl.atomic_addx2_elem_op": 2, "tl.atomic_addx4_elem_op": 4}
_SCALAR = {f"tl.atomic_{kind}_elem_op": kind for kind in ("add", "max", "min", "or")}
_RETURNING = {f"tl.atomic_{kind}_ret_elem_op": kind for kind in ("add", "max", "min")}


@tile_op("atomicadd", "atomicmax", "atomicmin")
def _tile_update(call: tir.Call, scope: Scope) -> Action:
    kind = tir.op_name(call)[-3:]
    source, target = call.args[0], tir.region_of(call.args[1])
    extents = proper_extents(target)
    inner, counters = over(extents, scope)
    if tir.is_region(source):
        region = tir.region_of(source)
        if [str(n) for n in proper_extents(region)] != [str(n) for n in extents]:
            raise Unsupported(f"an atomic update of {extents} elements from {region.extents}")
        value = compile_load(region.buffer, within(region, counters), inner)
    else:
        value = compile_expression(source, inner)
    update = compile_atomic(kind, target.buffer, within(target, counters), inner, collective=True)
    return lambda frame: update(frame, value(frame))


@compiles(EFFECTS, *_SCALAR)
def _element_update(call: tir.Call, scope: Scope) -> Action:
    element = _target(call)
    value = compile_expression(call.args[1], scope)
    kind = _SCALAR[tir.op_name(call)]
    update = compile_atomic(kind, element.buffer, list(element.indices), scope, collective=False)
    return lambda frame: update(frame, value(frame))


@compiles(CALLS, *_RETURNING)
def _element_fetch(call: tir.Call, scope: Scope) -> Code:
    """The element as each lane found it before its update."""
    element = _target(call)
    value, orders = compile_expression(call.args[1], scope), tir.orders_memory(call)
    fetch = compile_fetch(_RETURNING[tir.op_name(call)], element.buffer, list(element.indices), scope)

    def evaluate(frame: Frame) -> Value:
        found = fetch(frame, value(frame))
        if orders:
            for storage in frame.storages.values():
                storage.owners = None
        return found

    return evaluate


@compiles(EFFECTS, *_WIDE)
def _wide_update(call: tir.Call, scope: Scope) -> Action:
    """As many neighbouring elements at once as the name says."""
    element, source = _target(call), tir.pointed_element(call.args[1])
    if source is None:
        raise Unsupported(f"{tir.op_name(call)} of a value that is not in memory")
    parts = []
    for offset in range(_WIDE[tir.op_name(call)]):
        value = compile_load(source.buffer, _moved(list(source.indices), offset), scope)
        at = _moved(list(element.indices), offset)
        parts.append((value, compile_atomic("add", element.buffer, at, scope, collective=False)))

    def run(frame: Frame) -> None:
        for value, update in parts:
            update(frame, value(frame))

    return run


@compiles(EFFECTS, "tl.atomic_store_elem_op")
def _store(call: tir.Call, scope: Scope) -> Action:
    element = _target(call)
    value = compile_expression(call.args[1], scope)
    write = compile_store(element.buffer, list(element.indices), scope)
    return lambda frame: write(frame, value(frame))


@compiles(CALLS, "tl.atomic_load_elem_op")
def _load(call: tir.Call, scope: Scope) -> Code:
    element = _target(call)
    return compile_load(element.buffer, list(element.indices), scope)


def _target(call: tir.Call) -> tir.BufferLoad:
    element = tir.pointed_element(call.args[0])
    if element is None:
        raise Unsupported(f"{tir.op_name(call)} through a pointer that is not an element")
    return element


def _moved(indices: list[tir.Expr], offset: int) -> list[tir.Expr]:
    return [*indices[:-1], indices[-1] + offset] if offset else indices
