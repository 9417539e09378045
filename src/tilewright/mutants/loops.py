"""Bugs in how far a loop goes.

A loop that runs too far is no class here: TileLang guards what leaves a tensor, so that it mostly adds zeros.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tilewright.mutants.reading import Change, Source

_IN_ORDER = ("serial", "Pipelined", "unroll", "range", "grid")


def ends_early(source: Source) -> Iterator[Change]:
    """`T.serial(n)` -> `T.serial(n - 1)`"""
    for body in source.bodies:
        for _, call in body.fors(*_IN_ORDER):
            for extent in _extents(source, call):
                yield source.replaced(extent, f"{source.operand(extent)} - 1")


def starts_late(source: Source) -> Iterator[Change]:
    """`T.serial(n)` -> `T.serial(1, n)`"""
    for body in source.bodies:
        for _, call in body.fors("serial", "Pipelined", "unroll", "range"):
            if len(call.args) == 1:
                yield source.replaced(call.args[0], f"1, {source.text(call.args[0])}", "the loop begins at 1")


def floor_for_ceiling(source: Source) -> Iterator[Change]:
    """`T.ceildiv(n, block)` -> `(n // block)`, in a grid or a loop"""
    for body in source.bodies:
        for call in body.calls("ceildiv"):
            above, below = (source.operand(argument) for argument in call.args)
            yield source.replaced(call, f"({above} // {below})")


def half_of_parallel(source: Source) -> Iterator[Change]:
    """`T.Parallel(block_M, block_N)` -> `T.Parallel(block_M, block_N // 2)`"""
    for body in source.bodies:
        for _, call in body.fors("Parallel"):
            for extent in _extents(source, call):
                yield source.replaced(extent, f"{source.operand(extent)} // 2")


def _extents(source: Source, call: ast.Call) -> list[ast.expr]:
    """Where the axes end. One that is written as 1 is no loop."""
    many = source.called(call) in ("grid", "Parallel")
    ends = call.args if many else call.args[:1] if len(call.args) == 1 else call.args[1:2]
    return [end for end in ends if not (isinstance(end, ast.Constant) and end.value == 1)]
