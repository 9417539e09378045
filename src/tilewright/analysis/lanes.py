"""Along which index of a tensor do neighbouring threads run, and how far apart does that put them?

Read of the source, for single elements that are indexed by hand: threads are names bound by `T.get_thread_binding` or
computed from them, or the last variable of a `T.Parallel`, whose iterations TileLang gives to neighbouring threads.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tilewright.analysis.constants import default_integers, integer, with_constants
from tilewright.analysis.lines import function_of
from tilewright.analysis.source import CandidateSource, KernelSource, called_name
from tilewright.records import Facts

_Index = list[ast.expr]
_Lanes = Mapping[str, "ast.expr | None"]
"""Names that may move with the thread: None for the thread's own, else what it is computed as."""

_NAMES = 6
"""How many names one after the other are followed to the thread's own."""


@dataclass(frozen=True)
class Strided:
    """An access whose threads lie `stride` values apart: a number, or a product of names where that is not known.

    `moving` is the index that follows the thread and `last` the contiguous one; both the same where it is that one.
    """

    line: int
    tensor: str
    access: str
    stride: str
    moving: str
    last: str


def strided_access(source: CandidateSource, written: KernelSource, facts: Facts) -> Strided | None:
    """The one in most loops; None where each thread's neighbours are beside it, or it can't be told."""
    function = function_of(source, written)
    if function is None:
        return None
    found: dict[int, Strided] = {}
    shapes = _shapes(function)
    known = {**_constants(source, function), **_sizes(shapes, facts)}
    for access, lanes in _accesses(function, shapes, _computed(function)):
        one = _strided(access, shapes, lanes, known)
        if one is not None:
            found.setdefault(one.line, one)
    return next((found[line] for line in written.access_lines if line in found), None)


def _strided(
    access: ast.Subscript, shapes: Mapping[str, _Index], lanes: _Lanes, known: dict[str, int]
) -> Strided | None:
    tensor = ast.unparse(access.value)
    index = access.slice.elts if isinstance(access.slice, ast.Tuple) else [access.slice]
    if len(index) != len(shapes[tensor]):
        return None
    moving = [(at, factors) for at, part in enumerate(index) if (factors := _factors(part, lanes)) is not None]
    if len(moving) != 1:
        return None
    ((at, factors),) = moving
    factors = [*factors, *shapes[tensor][at + 1 :]]
    sizes = [integer(factor, known) for factor in factors]
    value = math.prod(size for size in sizes if size is not None) if None not in sizes else None
    if not factors or value == 1:
        return None
    named = " * ".join(f"({text})" if " " in text else text for text in map(ast.unparse, factors))
    stride = named if value is None else str(value)
    return Strided(access.lineno, tensor, ast.unparse(access), stride, ast.unparse(index[at]), ast.unparse(index[-1]))


def _factors(part: ast.expr, lanes: _Lanes, names: int = _NAMES) -> _Index | None:
    """What a thread's number is multiplied by in an index; None where it doesn't move, or in another way."""
    if isinstance(part, ast.Name) and part.id in lanes:
        value = lanes[part.id]
        if value is None:
            return []
        return _factors(value, lanes, names - 1) if names else None
    if not isinstance(part, ast.BinOp):
        return None
    left, right = _factors(part.left, lanes, names), _factors(part.right, lanes, names)
    if isinstance(part.op, (ast.Add, ast.Sub)):
        return left if right is None else right if left is None else None
    if isinstance(part.op, ast.Mult) and (left is None) != (right is None):
        return [*left, part.right] if left is not None else [*(right or []), part.left]
    return left if isinstance(part.op, ast.Mod) else None  # a quotient is the same for neighbours


def _computed(function: ast.AST) -> _Lanes:
    found: dict[str, ast.expr | None] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target, value = node.targets[0], node.value
            if isinstance(target, ast.Tuple) and target.elts and isinstance(value, ast.Call):
                target = target.elts[0]
            if isinstance(target, ast.Name):
                found[target.id] = None if _binds_the_first_thread_axis(value) else value
    return found


def _binds_the_first_thread_axis(value: ast.expr) -> bool:
    if not isinstance(value, ast.Call):
        return False
    name = called_name(value)
    return name == "get_thread_bindings" or (
        name == "get_thread_binding" and all(integer(axis, {}) == 0 for axis in value.args)
    )


def _accesses(node: ast.AST, shapes: Mapping[str, _Index], lanes: _Lanes) -> Iterator[tuple[ast.Subscript, _Lanes]]:
    """Single elements of the kernel's tensors, with the names that move with the thread there."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call) and called_name(child) in ("copy", "Tensor", "Buffer", "async_copy"):
            continue
        inside = _in_loop(child, lanes) if isinstance(child, ast.For) else lanes
        if isinstance(child, ast.Subscript) and isinstance(child.value, ast.Name) and child.value.id in shapes:
            yield child, inside
        yield from _accesses(child, shapes, inside)


def _in_loop(loop: ast.For, lanes: _Lanes) -> _Lanes:
    """A loop's variable is its own, whatever has the name elsewhere; the last of a T.Parallel follows the thread."""
    variables = [node.id for node in ast.walk(loop.target) if isinstance(node, ast.Name)]
    outer = {name: value for name, value in lanes.items() if name not in variables}
    if isinstance(loop.iter, ast.Call) and called_name(loop.iter) == "Parallel" and variables:
        return {**outer, variables[-1]: None}
    return outer


def _shapes(function: ast.FunctionDef | ast.AsyncFunctionDef) -> dict[str, _Index]:
    """Of the kernel's tensors, as `T.Tensor((rows, length), ...)` says."""
    found = {}
    for argument in function.args.args:
        made = argument.annotation
        if isinstance(made, ast.Call) and made.args and isinstance(made.args[0], (ast.Tuple, ast.List)):
            found[argument.arg] = list(made.args[0].elts)
    return found


def _constants(source: CandidateSource, function: ast.FunctionDef | ast.AsyncFunctionDef) -> dict[str, int]:
    known = with_constants(source.tree.body, {})
    for node in ast.walk(source.tree):
        around = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.lineno <= function.lineno
        if around and isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) >= (function.end_lineno or 0):
            known = with_constants(node.body, {**known, **default_integers(node)})
    return known


def _sizes(shapes: Mapping[str, _Index], facts: Facts) -> dict[str, int]:
    """The values of a shape's names where only one shape of the facts has as many edges."""
    known: dict[str, int] = {}
    border = {tensor.shape for tensor in (*facts.inputs, *facts.parameters, *facts.outputs)}
    for edges in shapes.values():
        alike = [shape for shape in border if len(shape) == len(edges)]
        if len(alike) == 1:
            known.update({e.id: size for e, size in zip(edges, alike[0]) if isinstance(e, ast.Name)})
    return known
