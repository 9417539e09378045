"""How are the elements of a point's loops numbered, and its steps taken in order?"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from tilewright.proposers.rewrites.reading.expressions import name, polynomial, replaced, substituted
from tilewright.proposers.rewrites.reading.points import Axis, Let, Loop, Step, changed


def inlined(steps: Sequence[Step]) -> list[Step]:
    """The steps with what lets stand for written where they are read."""
    known: dict[str, ast.expr] = {}
    out: list[Step] = []
    for step in steps:
        if isinstance(step, Let):
            known[step.name] = substituted(step.value, known)
        else:
            out.append(changed(step, lambda node: substituted(node, known)))
    return out


def groups(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """Runs of plain steps, and loops one by one."""
    run: list[Step] = []
    for step in steps:
        if isinstance(step, Loop):
            if run:
                yield run
            yield [step]
            run = []
        else:
            run.append(step)
    if run:
        yield run


def numbered(node: ast.expr, axes: Sequence[Axis], flat: ast.expr) -> ast.expr:
    """An expression in which the number of an element, computed from its loop axes, is read from its name."""
    if len(axes) == 1:
        return node
    number: ast.expr = name(axes[0].name)
    for axis in axes[1:]:
        number = ast.BinOp(ast.BinOp(number, ast.Mult(), axis.extent), ast.Add(), name(axis.name))
    whole = polynomial(number, {})
    return replaced(
        node, lambda part: flat if isinstance(part, ast.BinOp) and polynomial(part, {}) == whole else None
    )


def places_of(axes: Sequence[Axis], flat: str) -> dict[str, ast.expr]:
    """What each axis of a loop is at the element of that number."""
    if len(axes) == 1:
        return {}
    found: dict[str, ast.expr] = {}
    rest: ast.expr = name(flat)
    for axis in reversed(axes[1:]):
        found[axis.name] = ast.BinOp(rest, ast.Mod(), axis.extent)
        rest = ast.BinOp(rest, ast.FloorDiv(), axis.extent)
    found[axes[0].name] = rest
    return dict(reversed(found.items()))
