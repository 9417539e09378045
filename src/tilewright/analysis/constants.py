"""Which integers and names of dtypes are known where a kernel is written?"""

from __future__ import annotations

import ast


def with_constants(body: list[ast.stmt], outer: dict[str, int]) -> dict[str, int]:
    """What is known inside a body: the outer names, and those that it sets to integers."""
    known = dict(outer)
    for node in body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            value = integer(node.value, known)
            if value is not None:
                known[node.targets[0].id] = value
    return known


def default_integers(function: ast.FunctionDef | ast.AsyncFunctionDef) -> dict[str, int]:
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    pairs = list(zip(reversed(positional), reversed(arguments.defaults)))
    pairs += [(a, d) for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults) if d is not None]
    values = {argument.arg: integer(default, {}) for argument, default in pairs}
    return {name: value for name, value in values.items() if value is not None}


def integer(node: ast.expr, known: dict[str, int]) -> int | None:
    """The integer that an expression of constants and known names has."""
    if isinstance(node, ast.Constant):
        return node.value if type(node.value) is int else None
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.BinOp):
        left, right = integer(node.left, known), integer(node.right, known)
        if left is None or right is None:
            return None
        if isinstance(node.op, ast.Mult):
            return left * right
        if isinstance(node.op, ast.Add):
            return left + right
        if isinstance(node.op, ast.Sub):
            return left - right
        if isinstance(node.op, ast.FloorDiv) and right:
            return left // right
    return None


def texts(tree: ast.Module) -> dict[str, str]:
    """Names that stand for one string wherever they are a default or a constant of the module: mostly dtypes."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            positional = [*node.args.posonlyargs, *node.args.args]
            pairs = list(zip(reversed(positional), reversed(node.args.defaults)))
            pairs += [(a, d) for a, d in zip(node.args.kwonlyargs, node.args.kw_defaults) if d is not None]
            named = [(argument.arg, default) for argument, default in pairs]
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            named = [(node.targets[0].id, node.value)]
        else:
            continue
        for name, value in named:
            if text(value, {}):
                found.setdefault(name, set()).add(text(value, {}))
    return {name: next(iter(values)) for name, values in found.items() if len(values) == 1}


def text(node: ast.expr, known: dict[str, str]) -> str:
    """The dtype that an expression names, as "float32" or T.float32; "" where it can't be told."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.Attribute):
        return node.attr
    return known.get(node.id, "") if isinstance(node, ast.Name) else ""
