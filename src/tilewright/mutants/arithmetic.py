"""Bugs in what is computed: operators, constants, functions, terms that are forgotten."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tilewright.mutants.reading import Change, Source

_OPERATORS: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "+"), ast.Div: ("/", "*"),
}  # fmt: skip
_FUNCTIONS = {"exp": "exp2", "exp2": "exp", "sqrt": "rsqrt", "rsqrt": "sqrt", "log": "log2", "log2": "log",
              "tanh": "erf", "erf": "tanh", "sigmoid": "tanh"}  # fmt: skip


def wrong_operator(source: Source) -> Iterator[Change]:
    """`a + b` -> `a - b`, `a * b` -> `a + b`, `a += b` -> `a -= b`"""
    for body in source.bodies:
        for node in body.values():
            if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
                yield from _other_operator(source, node, node.left, node.right, *_OPERATORS[type(node.op)])
        for statement, target in body.assignments():
            if isinstance(statement, ast.AugAssign) and type(statement.op) in _OPERATORS:
                old, new = _OPERATORS[type(statement.op)]
                yield from _other_operator(source, statement, target, statement.value, f"{old}=", f"{new}=")


def lost_sign(source: Source) -> Iterator[Change]:
    """`-x` -> `x`"""
    for body in source.bodies:
        for node in body.values():
            if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
                yield source.replaced(node, source.operand(node.operand))


def wrong_constant(source: Source) -> Iterator[Change]:
    """`0.5` -> `0.25`, `0` -> `1`; constants of the file, too"""
    for body in source.bodies:
        for node in body.values():
            yield from _other_number(source, node)
    for statement in source.tree.body:
        if isinstance(statement, ast.Assign):
            for inner in ast.walk(statement.value):
                yield from _other_number(source, inner)


def wrong_function(source: Source) -> Iterator[Change]:
    """`T.exp` <-> `T.exp2`, `T.sqrt` <-> `T.rsqrt`, ..."""
    for body in source.bodies:
        for call in body.calls(*_FUNCTIONS):
            yield source.renamed(call, _FUNCTIONS[source.called(call)])


def maximum_for_minimum(source: Source) -> Iterator[Change]:
    """`T.max` <-> `T.min`"""
    for body in source.bodies:
        for call in body.calls("max", "min"):
            yield source.renamed(call, "min" if source.called(call) == "max" else "max")


def forgotten_term(source: Source) -> Iterator[Change]:
    """`a + b` -> `a`, `T.abs(a)` -> `a`, `a /= b` is left out: a bias, a scale, a rescaling"""
    for body in source.bodies:
        functions = set(body.calls("abs", "max", "min", *_FUNCTIONS))
        for node in body.values():
            if isinstance(node, ast.BinOp):
                yield source.replaced(node, source.operand(node.left))
            elif isinstance(node, ast.Call) and node in functions:
                yield source.replaced(node, source.operand(node.args[0]))
        for statement, _ in body.assignments():
            if isinstance(statement, ast.AugAssign):
                yield source.without(statement)


def _other_operator(
    source: Source, around: ast.expr | ast.stmt, left: ast.expr, right: ast.expr, old: str, new: str
) -> Iterator[Change]:
    edit = source.between(left, right, old, new)
    if edit is not None:
        yield Change(f"{old} becomes {new} in {source.line(around)}", around.lineno, (edit,))


def _other_number(source: Source, node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        assert isinstance(node.value, (int, float))
        yield source.replaced(node, repr(node.value / 2 if node.value else 1))
