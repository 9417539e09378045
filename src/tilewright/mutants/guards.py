"""Bugs in conditions: where a tensor ends, how many threads work, which way a value goes.

That one thread alone works (`tx == 0`) is left as it is: where others do the same, they write the same value.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tilewright.mutants.reading import Body, Change, Source

_SYMBOLS: dict[type[ast.cmpop], str] = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_FLIPPED = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}


def no_guard(source: Source) -> Iterator[Change]:
    """One of the comparisons of an `if` is left out"""
    for body in source.bodies:
        for guard in _guards(body):
            for comparison in _comparisons(guard):
                yield source.replaced(comparison, "True", f"{source.text(comparison)} is not asked")


def too_strict(source: Source) -> Iterator[Change]:
    """`i < n` -> `i < n - 1`, `i >= 0` -> `i > 0`: the border is left out"""
    for body in source.bodies:
        for guard in _guards(body):
            for comparison in _comparisons(guard):
                symbol, limit = _SYMBOLS[type(comparison.ops[0])], comparison.comparators[0]
                if symbol == "<":
                    yield source.replaced(limit, f"{source.operand(limit)} - 1")
                elif symbol == ">=":
                    yield from _other_symbol(source, comparison, ">")


def border_included(source: Source) -> Iterator[Change]:
    """`i < n` -> `i <= n`"""
    for body in source.bodies:
        for guard in _guards(body):
            for comparison in _comparisons(guard):
                if isinstance(comparison.ops[0], ast.Lt):
                    yield from _other_symbol(source, comparison, "<=")


def flipped(source: Source) -> Iterator[Change]:
    """`value > 0` -> `value <= 0`, `i < n` -> `i >= n`"""
    for body in source.bodies:
        for condition in body.conditions():
            for comparison in _comparisons(condition):
                symbol = _SYMBOLS[type(comparison.ops[0])]
                yield from _other_symbol(source, comparison, _FLIPPED[symbol])


def swapped_branches(source: Source) -> Iterator[Change]:
    """`T.if_then_else(c, a, b)` -> `T.if_then_else(c, b, a)`"""
    for body in source.bodies:
        for call in body.calls("if_then_else"):
            change = source.swapped(call.args[1], call.args[2])
            if change is not None:
                yield change


def _guards(body: Body) -> Iterator[ast.expr]:
    """The conditions that ask where a thread works, not what it holds."""
    return (condition for condition in body.conditions() if body.is_place(condition))


def _comparisons(condition: ast.expr) -> Iterator[ast.Compare]:
    """Those by size that must hold together."""
    parts = [condition]
    if isinstance(condition, ast.BoolOp) and isinstance(condition.op, ast.And):
        parts = condition.values
    for part in parts:
        if isinstance(part, ast.Compare) and len(part.ops) == 1 and type(part.ops[0]) in _SYMBOLS:
            yield part


def _other_symbol(source: Source, comparison: ast.Compare, new: str) -> Iterator[Change]:
    old = _SYMBOLS[type(comparison.ops[0])]
    edit = source.between(comparison.left, comparison.comparators[0], old, new)
    if edit is not None:
        yield Change(f"{old} becomes {new} in {source.line(comparison)}", comparison.lineno, (edit,))
