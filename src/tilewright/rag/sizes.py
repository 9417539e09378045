"""How large is a problem? Read from its reference without running it."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Mapping

from tilewright.records import Problem

_MAKERS = frozenset({"rand", "randn", "randint", "randperm", "empty", "zeros", "ones", "full", "normal"})
_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Pow: operator.pow,
}


def elements(problem: Problem) -> int | None:
    """The elements of all inputs of the first workload together; None where they can't be read."""
    workload = problem.workloads[0] if problem.workloads else None
    if workload and workload.inputs:
        return sum(math.prod(given.shape) for given in workload.inputs)
    try:
        tree = ast.parse(problem.source)
    except (SyntaxError, ValueError):
        return None
    names: dict[str, int] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            value = _size(node.value, names)
            if value is not None:
                names[node.targets[0].id] = value
    names.update(workload.overrides if workload else ())
    inputs = next((n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "get_inputs"), tree)
    made = [_made(node, names) for node in ast.walk(inputs) if isinstance(node, ast.Call)]
    return sum(made) or None


def _made(node: ast.Call, names: Mapping[str, int]) -> int:
    """The elements of a tensor that a call makes, 0 for another call or a shape that can't be read."""
    if not isinstance(node.func, ast.Attribute) or node.func.attr not in _MAKERS:
        return 0
    sizes: list[ast.expr] = []
    for argument in node.args:
        if isinstance(argument, (ast.Tuple, ast.List)):
            sizes = argument.elts
            break
        sizes.append(argument)
    known = [_size(size, names) for size in sizes]
    return math.prod(size for size in known if size is not None) if known and None not in known else 0


def _size(node: ast.expr, names: Mapping[str, int]) -> int | None:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        left, right = _size(node.left, names), _size(node.right, names)
        if left is not None and right is not None and not (isinstance(node.op, ast.Pow) and not 0 <= right < 64):
            try:
                return int(_OPERATORS[type(node.op)](left, right))
            except ZeroDivisionError:
                return None
    return None
