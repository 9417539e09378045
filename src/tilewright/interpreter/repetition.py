"""What do all threads of a block do, where once was meant?

A scalar statement outside of T.Parallel and tile operations is executed by every thread. That is harmless where
doing it again changes nothing. An atomic add counts each time. `s[0] += x` on shared or global memory is in no order
between the warps: what one of them reads may or may not hold what another wrote."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from tilewright.interpreter import tir
from tilewright.interpreter.compiler import Action, Code, Scope, compile_expression
from tilewright.interpreter.frame import Frame
from tilewright.interpreter.loads import compile_load
from tilewright.interpreter.memory import scope_of
from tilewright.interpreter.tir import tirx
from tilewright.interpreter.values import OUTSIDE, Mask, Value, both, lifted, varies_by_thread

ONCE = "guard it with `if T.get_thread_binding() == 0`, or put it in a T.Parallel loop"
"""What to do where a whole block does what one thread should."""
_SEEN_BY_OTHERS = ("global", "shared", "shared.dyn")
_WARP = 32


def warn_of_repeated_add(name: str, frame: Frame, parts: Sequence[Tensor | None], threads: int) -> None:
    """`parts` are what an atomic add depends on: places, values and the mask, as lanes of `threads` a block."""
    if threads == 1 or any(part is not None and varies_by_thread(part) for part in parts):
        return
    frame.note(
        "atomic-add-by-every-thread",
        f"an atomic add of one value to {name} is executed by all {threads} threads of a block, so it counts "
        f"{threads} times; {ONCE}",
        name,
    )


def compile_repetition_check(stmt: Any, value: Code, scope: Scope) -> Action | None:
    """What to run after the store of an element's own new value (None: nothing need be). Where one element is updated
    by several warps it is a problem, by several iterations of T.Parallel a fault."""
    buffer, indices = stmt.buffer, list(stmt.indices)
    if scope_of(buffer) not in _SEEN_BY_OTHERS:
        return None
    name, rank, threads = str(buffer.name), scope.rank, scope.program.thread_count
    named = {var for index in indices for var in tir.variables(index)}
    loops = [
        axis.position
        for var, axis in scope.axes.items()
        if axis.position >= OUTSIDE and axis.extent > 1 and var not in named
    ]
    alone = not loops if rank > OUTSIDE else threads <= _WARP
    if alone or not _updates_itself(stmt):
        return None
    places, stored = [compile_expression(index, scope) for index in indices], compile_load(buffer, indices, scope)

    def check(frame: Frame) -> None:
        where = [place for code in places if isinstance(place := code(frame), Tensor)]
        mask = None if frame.mask is None else lifted(frame.mask, rank)
        iterations = any(_shared_along(axis, where, mask) for axis in loops)
        if not iterations and (
            rank > OUTSIDE or any(map(varies_by_thread, where)) or not _several_warps(mask, scope)
        ):
            return
        if not _changes_again(value(frame), stored(frame), mask, rank):
            return
        if iterations:
            raise frame.fault(
                "write-write-race",
                f"iterations of a T.Parallel loop read and write one element of {name}; use T.atomic_add, or a "
                "serial loop in one thread",
            )
        frame.note(
            "update-by-every-thread",
            f"an update of {name} is executed by all {threads} threads of a block, with no order between the warps "
            f"that read it and those that write it; {ONCE}",
            name,
        )

    return check


def _updates_itself(stmt: Any) -> bool:
    own = False
    for node in tir.nodes(stmt.value):
        if tir.is_fetch(node):
            return False
        own |= isinstance(node, tirx.BufferLoad) and tir.same_element(node, stmt.buffer, list(stmt.indices))
    return own


def _shared_along(axis: int, where: Sequence[Tensor], mask: Mask) -> bool:
    """Whether active lanes along the axis are at one place."""
    if any(axis < place.ndim and place.shape[axis] > 1 for place in where):
        return False
    return mask is None or mask.shape[axis] == 1 or int(mask.sum(axis).max()) > 1


def _several_warps(mask: Mask, scope: Scope) -> bool:
    threads = scope.program.thread_count
    if mask is None or not varies_by_thread(mask):
        return threads > _WARP
    x, y, z = scope.program.threads
    active = mask.expand(-1, z, y, x).flatten(1)
    warps = torch.arange(threads) // _WARP
    first, last = torch.where(active, warps, threads).amin(1), torch.where(active, warps, -1).amax(1)
    return bool((first < last).any())


def _changes_again(again: Value, stored: Value, mask: Mask, rank: int) -> bool:
    """Whether a lane that comes later, and reads what was stored, would store something else."""
    if not isinstance(stored, Tensor):
        stored = torch.tensor(stored)
    late = again.double() if isinstance(again, Tensor) else torch.tensor(float(again), dtype=torch.float64)
    early = stored.double()
    differs = (late != early) & ~(late.isnan() & early.isnan())
    return bool(differs.any() if mask is None else both(mask, lifted(differs, rank), rank).any())
