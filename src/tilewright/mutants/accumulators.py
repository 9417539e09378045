"""Bugs in how an accumulator begins, grows and is reduced."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tilewright.mutants.reading import Body, Change, Source, base_name, is_number
from tilewright.source.splice import Edit


def not_cleared(source: Source) -> Iterator[Change]:
    """`T.clear(acc)`, `T.fill(acc, ...)` or `acc[0] = 0.0` is left out"""
    for body in source.bodies:
        yield from (source.without(statement) for statement in _beginnings(body))


def cleared_inside(source: Source) -> Iterator[Change]:
    """`T.clear(acc)` goes from before a loop into it: only the last step remains"""
    for body in source.bodies:
        for statement in _beginnings(body):
            loop = _following_loop(body, statement)
            if loop is not None:
                first = source.positions.span(loop.body[0])[0]
                indent = source.positions.indent(loop.body[0].lineno)
                text = source.text(statement)
                moved = Edit(first, first, f"{text}{source.positions.newline}{indent}")
                edits = (Edit(*source.positions.span(statement), "pass"), moved)
                yield Change(f"{text} moves into the loop after it", statement.lineno, edits)


def wrong_start(source: Source) -> Iterator[Change]:
    """A sum starts at 1, a maximum at 0 or at plus infinity"""
    for body in source.bodies:
        for statement in _beginnings(body):
            value = statement.value
            if isinstance(value, ast.Call) and source.called(value) == "clear":
                assert isinstance(value.func, ast.Attribute)
                yield source.replaced(
                    value, f"{source.text(value.func.value)}.fill({source.text(value.args[0])}, 1.0)"
                )
                continue
            begin = value.args[1] if isinstance(value, ast.Call) else value
            if is_number(begin):
                yield source.replaced(begin, "0.0" if ast.literal_eval(begin) else "1.0")
            elif isinstance(begin, ast.UnaryOp):
                yield source.replaced(begin, source.text(begin.operand))
                yield source.replaced(begin, "0.0")


def overwritten(source: Source) -> Iterator[Change]:
    """`acc += x` -> `acc = x`, `T.gemm(..., clear_accum=True)` in a loop"""
    for body in source.bodies:
        for statement, target in body.assignments():
            if isinstance(statement, ast.AugAssign) and isinstance(statement.op, ast.Add):
                edit = source.between(target, statement.value, "+=", "=")
                if edit is not None:
                    yield Change(f"+= becomes = in {source.line(statement)}", statement.lineno, (edit,))
        for call in body.calls("gemm"):
            if not any(keyword.arg == "clear_accum" for keyword in call.keywords):
                yield source.with_argument(call, "clear_accum=True")


def wrong_reduction(source: Source) -> Iterator[Change]:
    """`T.reduce_sum` <-> `T.reduce_max`"""
    other = {"reduce_sum": "reduce_max", "reduce_max": "reduce_sum", "reduce_min": "reduce_max"}
    for body in source.bodies:
        for call in body.calls(*other):
            yield source.renamed(call, other[source.called(call)])


def wrong_axis(source: Source) -> Iterator[Change]:
    """`dim=1` <-> `dim=0` of a reduction"""
    for body in source.bodies:
        for call in body.calls("reduce_sum", "reduce_max", "reduce_min"):
            for keyword in call.keywords:
                if keyword.arg == "dim" and isinstance(keyword.value, ast.Constant):
                    yield source.replaced(keyword, f"dim={0 if keyword.value.value else 1}")


def wrong_clear(source: Source) -> Iterator[Change]:
    """`clear=False` of a reduction added or forgotten"""
    for body in source.bodies:
        for call in body.calls("reduce_sum", "reduce_max", "reduce_min"):
            given = next((keyword for keyword in call.keywords if keyword.arg == "clear"), None)
            if given is None:
                yield source.with_argument(call, "clear=False")
            else:
                yield source.replaced(given, "clear=True")


def _beginnings(body: Body) -> Iterator[ast.Expr | ast.Assign]:
    """Statements that give an accumulator its first value, a constant."""
    overwritten_anyway = {
        base_name(call.args[2])
        for call in body.calls("gemm")
        if any(keyword.arg == "clear_accum" for keyword in call.keywords)
    }
    for statement, call in body.statements("clear", "fill"):
        constant = body.source.called(call) == "clear" or _is_constant(body.source, call.args[1])
        if constant and base_name(call.args[0]) not in overwritten_anyway:
            yield statement
    for assignment, target in body.assignments():
        local = isinstance(target, ast.Subscript) and base_name(target) not in body.tensors
        if local and isinstance(assignment, ast.Assign) and _is_constant(body.source, assignment.value):
            yield assignment


def _is_constant(source: Source, node: ast.expr) -> bool:
    infinite = isinstance(node, ast.UnaryOp) and source.called(node.operand) == "infinity"
    return is_number(node) or infinite


def _following_loop(body: Body, statement: ast.stmt) -> ast.For | None:
    """The first loop after a statement, in the same block of statements."""
    for node in [body.function, *body.nodes]:
        block = getattr(node, "body", None)
        if isinstance(block, list) and statement in block:
            after = block[block.index(statement) + 1 :]
            return next((inner for inner in after if isinstance(inner, ast.For)), None)
    return None
