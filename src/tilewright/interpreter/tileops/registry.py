"""How does a tile operation find its meaning, and its tiles?

A tile operation is done by a block together, on whole tiles: it happens once, when any thread of the block is
active. Its tiles become lane axes behind the ones that the operation stands in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from tilewright.interpreter import tir
from tilewright.interpreter.compiler import EFFECTS, Action, Code, Scope, Write, compiles
from tilewright.interpreter.frame import Frame
from tilewright.interpreter.loads import compile_load
from tilewright.interpreter.memory import is_private
from tilewright.interpreter.report import Unsupported
from tilewright.interpreter.stores import compile_store
from tilewright.interpreter.tir import tirx
from tilewright.interpreter.values import any_thread

_F = TypeVar("_F", bound=Callable[[Any, Scope], Action])

_HINTS = (
    "barrier",
    "batch",
    "coalesced_width",
    "disable_tma",
    "eviction_policy",
    "leader_scope_threads",
    "memory_order",
    "nan_propagate",
    "parallel_loop_layout",
    "prefer_instruction",
    "use_tma",
    "wg_wait",
)
"""Annotations that say how to do it, and leave what is computed as it is. So do the scheduler's own ("tl.")."""


def tile_op(*names: str) -> Callable[[_F], _F]:
    """Decorator: this function compiles the tile operations of those names (without TileLang's prefix)."""

    def register(function: _F) -> _F:
        def collective(call: tir.Call, scope: Scope) -> Action:
            for key in tir.annotations_of(call):
                if key not in _HINTS and not key.startswith("tl."):
                    raise Unsupported(f"{tir.op_name(call)} with {key}")
            action = function(call, scope)
            if any(is_private(tir.region_of(arg).buffer) for arg in call.args if tir.is_region(arg)):
                return action

            def run(frame: Frame) -> None:
                outer = frame.mask
                frame.mask = any_thread(outer)
                try:
                    action(frame)
                finally:
                    frame.mask = outer

            return run

        compiles(EFFECTS, *(tir.TILE_OP_PREFIX + name for name in names))(collective)
        return function

    return register


def over(extents: Sequence[Any], scope: Scope) -> tuple[Scope, list[tir.Var]]:
    """A scope with one more lane axis for each extent, and the variables that count them."""
    counters = []
    for number, extent in enumerate(extents):
        if not isinstance(extent, int):
            raise Unsupported(f"a tile of symbolic size {extent}")
        counter = tirx.Var(f"tile{number}", "int32")
        counters.append(counter)
        scope = scope.inside(counter, extent)
    return scope, counters


def within(region: tir.Region, counters: Sequence[tir.Expr]) -> list[tir.Expr]:
    """Indices of the region's elements: its dimensions larger than 1 are counted in order, the others
    stay."""
    remaining = iter(counters)
    return [
        first if extent == 1 else _plus(first, next(remaining))
        for first, extent in zip(region.offsets, region.extents)
    ]


def proper_extents(region: tir.Region) -> list[Any]:
    return [extent for extent in region.extents if not (isinstance(extent, int) and extent == 1)]


def tile_load(region: tir.Region, scope: Scope) -> Code:
    """The region as lane axes, one for each of its dimensions (also those of size 1)."""
    inner, counters = over(region.extents, scope)
    return compile_load(region.buffer, [_plus(o, c) for o, c in zip(region.offsets, counters)], inner)


def tile_store(region: tir.Region, scope: Scope) -> Write:
    inner, counters = over(region.extents, scope)
    indices = [_plus(o, c) for o, c in zip(region.offsets, counters)]
    return compile_store(region.buffer, indices, inner, drops_outside=True)


def _plus(first: tir.Expr, counter: tir.Expr) -> tir.Expr:
    return counter if tir.constant(first) == 0 else first + counter
