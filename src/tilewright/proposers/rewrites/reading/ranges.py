"""Which range do block, thread and loop indices enumerate together?"""

from __future__ import annotations

import ast

from tilewright.proposers.rewrites.reading.expressions import (
    ONE,
    Polynomial,
    call_name,
    coefficient,
    name,
    names_in,
    polynomial,
    replaced,
    same,
    text,
    times,
)
from tilewright.proposers.rewrites.reading.points import Axis, Step, changed, expressions_of, inside, used_in


def reach(extent: ast.expr, share: Polynomial, sizes: dict[str, ast.expr]) -> ast.expr | None:
    """How far `extent` rounds of `share` elements go: `n` for `ceildiv(n, block)` rounds of `block`."""
    if share == ONE:
        return extent
    parts = extent.args if isinstance(extent, ast.Call) else []
    if call_name(extent) == "ceildiv" and len(parts) == 2:
        return parts[0] if polynomial(parts[1], sizes) == share else None
    if isinstance(extent, ast.BinOp) and isinstance(extent.op, ast.FloorDiv):
        return extent.left if polynomial(extent.right, sizes) == share else None
    return None


def radix(
    poly: Polynomial, extents: dict[str, ast.expr], sizes: dict[str, ast.expr], variables: frozenset[str]
) -> tuple[list[str], Polynomial] | None:
    """The variables of an index from the fastest to the slowest, and what the slowest is multiplied by.

    None where the index isn't a mixed-radix number of them, that is, where it could skip or repeat a value.
    """
    remaining = [variable for variable in extents if variable in names_in(poly)]
    rest = {monomial: factor for monomial, factor in poly.items() if not names_in({monomial: factor}) & variables}
    if rest or not remaining:
        return None
    order: list[str] = []
    expected, share = ONE, ONE
    while remaining:
        following = [v for v in remaining if coefficient(poly, v) == expected]
        if len(following) != 1:
            return None
        order.append(following[0])
        remaining.remove(following[0])
        share = expected
        expected = times(expected, polynomial(extents[following[0]], sizes, variables))
    return order, share


def axis_named(
    part: ast.expr, targets: dict[str, Polynomial], known: dict[str, ast.expr], variables: frozenset[str]
) -> ast.expr | None:
    if not isinstance(part, (ast.BinOp, ast.Name)):
        return None
    poly = polynomial(part, known, variables)
    return next((name(label) for label, target in targets.items() if target == poly), None)


def split_axes(
    axes: list[Axis], steps: tuple[Step, ...], labels: dict[str, str]
) -> tuple[list[Axis], tuple[Step, ...]]:
    """`i % A` and `i // A` of an axis over A * B become axes of their own, named as `labels` calls those texts."""
    for axis in axes:
        for divisor in _divisors(axis, steps).values():
            quotient = _quotient(axis.extent, divisor)
            if quotient is None:
                continue
            fast = labels.get(f"{axis.name} % {text(divisor)}", f"{axis.name}_low")
            slow = labels.get(f"{axis.name} // {text(divisor)}", f"{axis.name}_high")
            low, high = Axis(fast, divisor), Axis(slow, quotient, axis.block)

            def split(node: ast.expr, axis: Axis = axis, low: Axis = low, high: Axis = high) -> ast.expr:
                return replaced(node, lambda part: _half(part, axis, low, high))

            new = tuple(changed(step, split) for step in steps)
            if axis.name in set().union(*(used_in(step) for step in new)):
                continue
            place = axes.index(axis)
            return split_axes([*axes[:place], high, low, *axes[place + 1 :]], new, labels)
    return axes, steps


def _divisors(axis: Axis, steps: tuple[Step, ...]) -> dict[str, ast.expr]:
    """What the axis is divided by, anywhere in the steps."""
    parts = [part for step in steps for part in inside(step)]
    nodes = [node for part in parts for expression in expressions_of(part) for node in ast.walk(expression)]
    return {
        text(node.right): node.right
        for node in nodes
        if isinstance(node, ast.BinOp)
        and isinstance(node.op, (ast.Mod, ast.FloorDiv))
        and isinstance(node.left, ast.Name)
        and node.left.id == axis.name
    }


def _half(part: ast.expr, axis: Axis, low: Axis, high: Axis) -> ast.expr | None:
    if not isinstance(part, ast.BinOp) or not isinstance(part.left, ast.Name) or part.left.id != axis.name:
        return None
    if not same(part.right, low.extent):
        return None
    if isinstance(part.op, ast.Mod):
        return name(low.name)
    return name(high.name) if isinstance(part.op, ast.FloorDiv) else None


def _quotient(extent: ast.expr, divisor: ast.expr) -> ast.expr | None:
    if isinstance(extent, ast.BinOp) and isinstance(extent.op, ast.Mult):
        for this, other in ((extent.left, extent.right), (extent.right, extent.left)):
            if same(this, divisor):
                return other
    return None
