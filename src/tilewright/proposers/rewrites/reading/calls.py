"""Which kernel does each call in `forward` run, where was it built, and where do its results go?"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from tilewright.proposers.rewrites.reading.expressions import text
from tilewright.proposers.rewrites.reading.forward import Network
from tilewright.source.splice import Edit, Positions

_VIEWS = {"view", "reshape", "view_as", "reshape_as", "flatten", "unflatten"}


@dataclass(frozen=True)
class Built:
    """A kernel that is built in one element of a tuple, kept under `entry` and unpacked into names in forward."""

    factory: str
    construction: ast.Call
    elements: ast.Tuple
    targets: ast.Tuple
    label: str


@dataclass(frozen=True)
class Launched:
    """A call of a kernel in a plain statement of forward."""

    built: Built
    call: ast.Call
    statement: ast.stmt
    place: int


def built_kernels(network: Network) -> list[Built]:
    """Kernels kept as `self.kernels[key] = (a(...), b(...))` and taken out as `x, y = self.kernels[key]`."""
    tuples: dict[str, list[ast.Tuple]] = {}
    unpacked: dict[str, list[ast.Tuple]] = {}
    for node in ast.walk(network.node):
        if not isinstance(node, ast.Assign) or len(node.targets) != 1:
            continue
        target, value = node.targets[0], node.value
        if isinstance(target, (ast.Subscript, ast.Attribute)) and isinstance(value, ast.Tuple):
            tuples.setdefault(text(target), []).append(value)
        if isinstance(target, ast.Tuple) and isinstance(value, (ast.Subscript, ast.Attribute)):
            unpacked.setdefault(text(value), []).append(target)
    found: list[Built] = []
    for entry, values in tuples.items():
        targets = unpacked.get(entry, [])
        if len(values) != 1 or len(targets) != 1 or len(values[0].elts) != len(targets[0].elts):
            continue
        for construction, label in zip(values[0].elts, targets[0].elts):
            if not isinstance(construction, ast.Call) or not isinstance(label, ast.Name):
                continue
            if isinstance(construction.func, ast.Name):
                found.append(Built(construction.func.id, construction, values[0], targets[0], label.id))
    return found


def launches(network: Network, built: list[Built]) -> Iterator[Launched]:
    by_label = {kernel.label: kernel for kernel in built}
    for place, statement in enumerate(network.forward.body):
        if not isinstance(statement, (ast.Assign, ast.Return, ast.Expr)):
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in by_label:
                yield Launched(by_label[node.func.id], node, statement, place)


def feeds(network: Network, first: Launched, second: Launched, position: int) -> bool:
    """Whether the result of the first call, at most viewed, is that argument of the second and used nowhere else."""
    argument = without_views(second.call.args[position])
    if argument is first.call:
        return True
    if not isinstance(argument, ast.Name) or not isinstance(first.statement, ast.Assign):
        return False
    target = first.statement.targets[0]
    if not isinstance(target, ast.Name) or target.id != argument.id or first.place >= second.place:
        return False
    if without_views(first.statement.value) is not first.call:
        return False
    body = network.forward.body
    between = [n for s in body[first.place + 1 : second.place] for n in ast.walk(s)]
    loads = [n for n in ast.walk(second.statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)]
    reads = [node for node in loads if node.id == target.id]
    if any(_names(node, target.id) for node in between) or len(reads) != 1:
        return False
    rebound = isinstance(second.statement, ast.Assign) and text(second.statement.targets[0]) == target.id
    after = [n for s in body[second.place + 1 :] for n in ast.walk(s)]
    return rebound or not any(_names(node, target.id) for node in after)


def without_views(node: ast.expr) -> ast.expr:
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _VIEWS:
        node = node.func.value
    return node


def without_kernel(source: str, built: Built, launched: Launched, position: int) -> list[Edit]:
    """The edits that build and call a kernel no more: its argument takes the place of its result."""
    positions = Positions(source)
    argument = positions.text(launched.call.args[position])
    statement = launched.statement
    edits = [Edit(*positions.span(launched.call), argument)]
    same = isinstance(statement, ast.Assign) and statement.value is launched.call
    if same and isinstance(statement, ast.Assign) and text(statement.targets[0]) == argument:
        start = positions.line_start(statement.lineno)
        edits = [Edit(start, positions.line_end(statement.end_lineno or statement.lineno), "")]
    return [*edits, *without_construction(source, built)]


def without_construction(source: str, built: Built) -> list[Edit]:
    """The edits that take a kernel out of the tuple that it is built in, and out of the names it is unpacked into."""
    positions = Positions(source)
    edits: list[Edit] = []
    index = built.elements.elts.index(built.construction)
    for tuple_ in (built.elements, built.targets):
        left = [element for number, element in enumerate(tuple_.elts) if number != index]
        start, end = positions.span(tuple_)
        if len(left) == 1:
            kept = positions.span(left[0])
            edits += [Edit(start, kept[0], ""), Edit(kept[1], end, "")]
        elif index + 1 < len(tuple_.elts):
            following = positions.span(tuple_.elts[index + 1])[0]
            edits.append(Edit(positions.span(tuple_.elts[index])[0], following, ""))
        else:
            before = positions.span(tuple_.elts[index - 1])[1]
            edits.append(Edit(before, positions.span(tuple_.elts[index])[1], ""))
    return edits


def arguments_of(call: ast.Call, function: ast.FunctionDef) -> dict[str, ast.expr] | None:
    """The parameters that a call sets, or None where a star hides them."""
    order = [a.arg for a in [*function.args.posonlyargs, *function.args.args]]
    if any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg is None for k in call.keywords):
        return None
    found = dict(zip(order, call.args))
    found.update({k.arg: k.value for k in call.keywords if k.arg})
    return found


def _names(node: ast.AST, label: str) -> bool:
    return isinstance(node, ast.Name) and node.id == label
