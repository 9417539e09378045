"""What does a statement of a kernel do: assign, name an index, loop, or let one thread through?"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from tilewright.proposers.rewrites.reading.expressions import call_name, names, parse, substituted, text
from tilewright.proposers.rewrites.reading.kernels import Kernel

_LOOPS = ("serial", "range", "unroll", "grid", "Serial", "Unroll", "Parallel")


class Unclear(Exception):
    """The kernel does something that isn't understood here; it is left alone."""


def assigned(statement: ast.stmt) -> tuple[ast.expr, ast.expr]:
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        return statement.targets[0], statement.value
    if isinstance(statement, ast.AugAssign):
        return statement.target, ast.BinOp(parse(text(statement.target)), statement.op, statement.value)
    raise Unclear


def opened(
    statements: Sequence[ast.stmt], is_bound: Callable[[ast.expr], bool]
) -> tuple[list[ast.stmt], dict[str, ast.expr]]:
    """The statements without names for indices before them and an `if` around them that only keeps places inside."""
    rest = list(statements)
    lets: dict[str, ast.expr] = {}
    while rest:
        first = rest[0]
        if isinstance(first, ast.Assign) and isinstance(first.targets[0], ast.Name) and _is_arithmetic(first.value):
            lets[first.targets[0].id] = substituted(first.value, lets)
            rest = rest[1:]
        elif len(rest) == 1 and isinstance(first, ast.If) and not first.orelse:
            if not is_bound(substituted(first.test, lets)):
                raise Unclear
            rest = list(first.body)
        else:
            break
    return rest, lets


def _is_arithmetic(node: ast.expr) -> bool:
    return all(
        isinstance(part, (ast.BinOp, ast.Name, ast.Constant, ast.operator, ast.expr_context, ast.Call, ast.Attribute))
        for part in ast.walk(node)
    )


def index_let(statement: ast.stmt, kernel: Kernel) -> tuple[str, ast.expr] | None:
    """`row = by * 16 + ty`: a name for arithmetic on indices and sizes."""
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return None
    target, value = statement.targets[0], statement.value
    if not isinstance(target, ast.Name) or target.id in kernel.buffers:
        return None
    if any(isinstance(node, ast.Subscript) for node in ast.walk(value)) or names(value) & set(kernel.buffers):
        return None
    return target.id, value


def picks_one(test: ast.expr, kernel: Kernel) -> bool:
    """`tx == 0`."""
    if not isinstance(test, ast.Compare) or len(test.ops) != 1 or not isinstance(test.ops[0], ast.Eq):
        return False
    left, right = test.left, test.comparators[0]
    return isinstance(left, ast.Name) and left.id in kernel.thread_names and text(right) == "0"


def loop_extents(loop: ast.For) -> list[tuple[str, ast.expr]]:
    """The variables of `for i in T.serial(n)` and `for i, j in T.grid(m, n)` with their extents."""
    call = loop.iter
    if not isinstance(call, ast.Call) or call_name(call) not in _LOOPS or call.keywords or loop.orelse:
        return []
    targets = loop.target.elts if isinstance(loop.target, ast.Tuple) else [loop.target]
    labels = [target.id for target in targets if isinstance(target, ast.Name)]
    if len(labels) != len(call.args) or (len(labels) != 1 and call_name(call) not in ("grid", "Parallel")):
        return []
    return list(zip(labels, call.args))
