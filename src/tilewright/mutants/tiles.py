"""Bugs in how tiles are shared out, multiplied and written."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tilewright.mutants.reading import Body, Change, Source, base_name
from tilewright.source.splice import Edit


def grid_too_small(source: Source) -> Iterator[Change]:
    """`T.Kernel(blocks)` -> `T.Kernel(blocks - 1)`"""
    for body in source.bodies:
        for call in body.calls("Kernel"):
            for extent in call.args:
                if not isinstance(extent, ast.Constant):
                    yield source.replaced(extent, f"{source.operand(extent)} - 1")


def unwritten_block(source: Source) -> Iterator[Change]:
    """The first block along an axis of the grid doesn't write its result"""
    for body in source.bodies:
        for statement in _stores(body):
            for block in (name for name in body.blocks if name != "_"):
                start = source.positions.span(statement)[0]
                indent = source.positions.indent(statement.lineno)
                guard = Edit(start, start, f"if {block} > 0:{source.positions.newline}{indent}    ")
                yield Change(f"{source.line(statement)} only where {block} > 0", statement.lineno, (guard,))


def unwritten(source: Source) -> Iterator[Change]:
    """A result is not written"""
    for body in source.bodies:
        yield from (source.without(statement) for statement in _stores(body))


def not_loaded(source: Source) -> Iterator[Change]:
    """A tile is not copied from device memory"""
    for body in source.bodies:
        for statement, call in body.statements("copy"):
            if base_name(call.args[0]) in body.tensors:
                yield source.without(statement)


def wrong_transpose(source: Source) -> Iterator[Change]:
    """`transpose_B=True` of a product added or forgotten"""
    for body in source.bodies:
        for call in body.calls("gemm"):
            for name in ("transpose_A", "transpose_B"):
                given = next((keyword for keyword in call.keywords if keyword.arg == name), None)
                if given is None:
                    yield source.with_argument(call, f"{name}=True")
                elif isinstance(given.value, ast.Constant):
                    yield source.replaced(given, f"{name}={not given.value.value}")


def swapped_factors(source: Source) -> Iterator[Change]:
    """`T.gemm(A, B, C)` -> `T.gemm(B, A, C)`"""
    for body in source.bodies:
        for call in body.calls("gemm"):
            change = source.swapped(call.args[0], call.args[1])
            if change is not None:
                yield change


def shared_by_all_threads(source: Source) -> Iterator[Change]:
    """`T.alloc_local` -> `T.alloc_shared`: what each thread should have for itself"""
    for body in source.bodies:
        for call in body.calls("alloc_local"):
            yield source.renamed(call, "alloc_shared")


def lost_update(source: Source) -> Iterator[Change]:
    """`T.atomic_add(x, v)` -> `x = x + v`: threads overwrite each other's sums"""
    for body in source.bodies:
        for statement, call in body.statements("atomic_add"):
            to = source.text(call.args[0])
            yield source.replaced(statement, f"{to} = {to} + {source.operand(call.args[1])}")


def _stores(body: Body) -> Iterator[ast.Expr | ast.Assign]:
    """Statements that write to a tensor in device memory: copies, then assignments."""
    yield from (statement for statement, call in body.statements("copy") if base_name(call.args[1]) in body.tensors)
    for statement, target in body.assignments():
        if (
            isinstance(statement, ast.Assign)
            and isinstance(target, ast.Subscript)
            and base_name(target) in body.tensors
        ):
            yield statement
