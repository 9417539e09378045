"""Is an index a sum of lane axes times constants, and of what besides?"""

from __future__ import annotations

from dataclasses import dataclass

from tilewright.interpreter import tir
from tilewright.interpreter.compiler import Scope
from tilewright.interpreter.tir import tirx
from tilewright.interpreter.values import OUTSIDE


@dataclass(frozen=True)
class Affine:
    """`steps`: coefficient of each variable that counts a lane axis. The rest of the sum is in two parts (None: 0):
    `fixed` stays what it is while a chunk of thread blocks runs, `moving` may change (loop counters, loaded
    values)."""

    steps: dict[tir.Var, int]
    fixed: tir.Expr | None = None
    moving: tir.Expr | None = None


def affine(expr: tir.Expr, scope: Scope) -> Affine | None:
    """The sum that `expr` is, seen through bindings; None where it is not one."""
    if isinstance(expr, tirx.Var) and expr in scope.axes:
        # Which thread runs an iteration of T.Parallel is open, so a thread's number is of no use in there.
        of_threads = scope.axes[expr].position < OUTSIDE < scope.rank
        return None if of_threads else Affine({expr: 1})
    if is_fixed(expr, scope):
        return Affine({}, fixed=expr)
    if isinstance(expr, tirx.Var):
        definition = scope.program.definitions.get(expr)
        return Affine({}, moving=expr) if definition is None else affine(definition, scope)
    if isinstance(expr, (tirx.Add, tirx.Sub)):
        left, right = affine(expr.a, scope), affine(expr.b, scope)
        if left is None or right is None:
            return None
        return _sum(left, right if isinstance(expr, tirx.Add) else _times(right, -1))
    if isinstance(expr, tirx.Mul):
        for factor, other in ((expr.a, expr.b), (expr.b, expr.a)):
            number = tir.constant(factor)
            if number is not None:
                part = affine(other, scope)
                return None if part is None else _times(part, number)
    if isinstance(expr, tirx.Ramp) or _mentions_axis(expr, scope):
        return None
    return Affine({}, moving=expr)


def is_fixed(expr: tir.Expr, scope: Scope) -> bool:
    """Whether nothing in the expression changes while a chunk of thread blocks runs."""
    return all(
        node in scope.program.fixed
        if isinstance(node, tirx.Var)
        else not isinstance(node, (tirx.BufferLoad, tirx.Call))
        for node in tir.nodes(expr)
    )


def _times(part: Affine, number: int) -> Affine:
    return Affine(
        {var: step * number for var, step in part.steps.items()},
        None if part.fixed is None else part.fixed * number,
        None if part.moving is None else part.moving * number,
    )


def _sum(left: Affine, right: Affine) -> Affine:
    steps = dict(left.steps)
    for var, step in right.steps.items():
        steps[var] = steps.get(var, 0) + step
    return Affine(steps, _plus(left.fixed, right.fixed), _plus(left.moving, right.moving))


def _plus(left: tir.Expr | None, right: tir.Expr | None) -> tir.Expr | None:
    if left is None or right is None:
        return right if left is None else left
    return left + right


def _mentions_axis(expr: tir.Expr, scope: Scope) -> bool:
    """Whether the value differs along a lane axis that a variable counts (seen through bindings)."""
    for var in tir.variables(expr):
        if var in scope.axes:
            return True
        definition = scope.program.definitions.get(var)
        if definition is not None and _mentions_axis(definition, scope):
            return True
    return False
