"""On which lines of a kernel is a tensor of its signature read, written or added to?

Goes by the name alone: what a kernel does under another name, or in a function that it calls, is not seen."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Literal

from tilewright.source.kernels import kernel_functions

Role = Literal["read", "written", "updated"]
_COPIES = ("copy", "async_copy", "tma_copy", "c2d_im2col", "im2col")
_FILLS = ("fill", "clear")


def tensor_lines(source: str, line: int) -> Mapping[tuple[str, Role], tuple[int, ...]]:
    """By name and role, for the kernel whose definition holds a 1-based line (the innermost); empty where the source
    can't be read. "updated" is what atomics do."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return {}
    around = [f for f in kernel_functions(tree) if _first_line(f) <= line <= (f.end_lineno or f.lineno)]
    if not around:
        return {}
    kernel = max(around, key=_first_line)
    names = {argument.arg for argument in kernel.args.args}
    found: dict[tuple[str, Role], dict[int, None]] = {}
    for name, role, at in (use for statement in kernel.body for use in _uses(statement)):
        if name in names:
            found.setdefault((name, role), {})[at] = None
    return {use: tuple(sorted(lines)) for use, lines in found.items()}


def _first_line(function: ast.FunctionDef) -> int:
    return min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])


def _uses(node: ast.AST) -> Iterator[tuple[str, Role, int]]:
    """A whole tensor or an element of it, wherever it stands."""
    roles: dict[ast.AST, Role] = {}
    for child in ast.walk(node):
        if isinstance(child, ast.Call):
            roles |= _roles_of_arguments(child)
        elif isinstance(child, ast.AugAssign) and isinstance(child.target, ast.Subscript):
            yield _root(child.target), "read", child.target.lineno
        if isinstance(child, (ast.Subscript, ast.Name)):
            default: Role = "written" if isinstance(child.ctx, ast.Store) else "read"
            role = roles.get(child, default)
            if isinstance(child, ast.Subscript):
                roles[child.value] = role
            else:
                yield child.id, role, child.lineno


def _roles_of_arguments(call: ast.Call) -> dict[ast.AST, Role]:
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    by_name = {keyword.arg: keyword.value for keyword in call.keywords}
    if name in _COPIES:
        target = call.args[1] if len(call.args) > 1 else by_name.get("dst")
        return {target: "written"} if target else {}
    if name in _FILLS or name.startswith("atomic_"):
        return {call.args[0]: "written" if name in _FILLS else "updated"} if call.args else {}
    return {}


def _root(node: ast.AST) -> str:
    while isinstance(node, ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
