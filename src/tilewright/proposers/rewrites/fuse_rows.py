"""Kernels that work on the same rows one after another become one.

What: where a kernel makes a value for each row (a maximum, a sum) or for each element, and the kernel behind it uses
them for the same rows, one kernel does the work of both; values of elements are computed again where they are used.
As many kernels as possible go at once.
Why faster: what was passed on through memory stays on chip, the row is found in the cache when it is read again,
and there are fewer launches.
When: the kernels are kept as one tuple, called in plain statements on the same rows, and what passes between them is
used nowhere else.
Safe because: both programs are recognised as a whole and take the rows one by one; only rounding in between and the
order of summation change.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tilewright.proposers.rewrites.reading.calls import (
    Launched,
    arguments_of,
    built_kernels,
    launches,
    without_construction,
)
from tilewright.proposers.rewrites.reading.contiguity import neighbours
from tilewright.proposers.rewrites.reading.expressions import name, names, replaced, substituted, text
from tilewright.proposers.rewrites.reading.forward import Network, find_networks
from tilewright.proposers.rewrites.reading.kernels import (
    Kernel,
    Rewritten,
    Tensor,
    find_kernels,
    indices,
    without_loss,
)
from tilewright.proposers.rewrites.reading.points import (
    Axis,
    Let,
    Loop,
    Points,
    Set,
    Step,
    Store,
    changed,
    inside,
    renamed,
    used_in,
)
from tilewright.proposers.rewrites.reading.rows import points_of
from tilewright.proposers.rewrites.writing.factories import free_knobs, with_launch, without_factory
from tilewright.proposers.rewrites.writing.tiling import NotTiled, Shape, write_tiles
from tilewright.source.splice import Edit, Positions

ANSWERS = ("unfused-kernels", "extra-passes", "launch-bound")
_KNOBS = {"block_M": 1, "block_N": 2048, "threads": 256}


class _Apart(Exception):
    """The two kernels can't be made one."""


def rewrite(source: str) -> Iterator[Rewritten]:
    fused: list[str] = []
    text_now, line = source, 0
    while (found := _fused_once(text_now)) is not None:
        text_now = found[0]
        fused.append(found[1])
        line = line or found[2]
    if fused:
        yield Rewritten(
            text_now,
            line,
            f"{', '.join(fused)} and the kernel behind work on the same rows; as one kernel they pass nothing "
            "through memory.",
        )


def _fused_once(source: str) -> tuple[str, str, int] | None:
    tree = ast.parse(source)
    kernels = {kernel.name: kernel for kernel in find_kernels(tree)}
    for network in find_networks(tree):
        called = list(launches(network, built_kernels(network)))
        for first, second in itertools.pairwise(called):
            a, b = kernels.get(first.built.factory), kernels.get(second.built.factory)
            if a is None or b is None or a is b or a.language != b.language:
                continue
            try:
                changed_source = _fused(source, network, a, b, first, second)
            except (_Apart, NotTiled):
                continue
            if changed_source is not None:
                return changed_source, a.name, a.launch.lineno
    return None


def _fused(source: str, network: Network, a: Kernel, b: Kernel, first: Launched, second: Launched) -> str | None:
    passed = _passed(network, a, b, first, second)
    words = _words(a, b, first, second)
    ours = _program(a, words)
    points = _joined(a, b, ours, passed)
    near = neighbours(points)
    if near is None or near[0] != "rows":
        raise _Apart
    positions = Positions(source)
    inputs, arguments = _inputs(a, b, first, second, passed, words, positions)
    named = free_knobs(b, _KNOBS)
    shape = Shape(named["block_M"], named["block_N"], named["threads"])
    lines = write_tiles(b, points, "rows", near[1], shape)
    parameters = b.prim_func.args.args
    span = (positions.span(parameters[0])[0], positions.span(parameters[-1])[1])  # type: ignore[arg-type]
    indent = positions.newline + positions.indent(parameters[0].lineno)
    start = positions.line_start(first.statement.lineno)
    edits = [
        Edit(*span, f",{indent}".join([*inputs, *(_declared(b.tensors[o], {}, b.language) for o in b.outputs)])),
        Edit(start, positions.line_end(first.statement.end_lineno or 0), ""),
        Edit(*positions.span(second.call), f"{positions.text(second.call.func)}({', '.join(arguments)})"),
        *without_construction(source, first.built),
    ]
    with_kernel = with_launch(source, b, lines, {named[knob]: value for knob, value in _KNOBS.items()}, edits)
    if with_kernel is None:
        return None
    left = next((k for k in find_kernels(ast.parse(with_kernel)) if k.name == a.name), None)
    gone = without_factory(with_kernel, left, uses=0) if left else []
    return without_loss(with_kernel, gone) if gone else with_kernel


def _passed(network: Network, a: Kernel, b: Kernel, first: Launched, second: Launched) -> dict[str, str]:
    """The second kernel's inputs that are the first's outputs: its tensor to the first's."""
    if not isinstance(first.statement, ast.Assign) or first.statement.value is not first.call:
        raise _Apart
    target = first.statement.targets[0]
    labels = [text(e) for e in target.elts] if isinstance(target, ast.Tuple) else [text(target)]
    calls = [first.call, second.call]
    inputs = [tensor for tensor in b.tensors if tensor not in b.outputs]
    plain = not any(call.keywords or any(isinstance(x, ast.Starred) for x in call.args) for call in calls)
    if len(labels) != len(a.outputs) or not plain or len(second.call.args) != len(inputs):
        raise _Apart
    found: dict[str, str] = {}
    uses = [n for s in network.forward.body for n in ast.walk(s) if isinstance(n, ast.Name)]
    for label, output in zip(labels, a.outputs):
        places = [p for p, argument in enumerate(second.call.args) if text(argument) == label]
        if len(places) != 1 or sum(n.id == label for n in uses) != 2:
            raise _Apart
        found[inputs[places[0]]] = output
    between = network.forward.body[first.place + 1 : second.place]
    moved = set().union(*(names(argument) for argument in first.call.args), set())
    stores = {n.id for s in between for n in ast.walk(s) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    if moved & stores:
        raise _Apart
    return found


def _words(a: Kernel, b: Kernel, first: Launched, second: Launched) -> dict[str, ast.expr]:
    """What the first factory's parameters are called in the second, or their literal values."""
    ones, others = first.built.construction, second.built.construction
    required = [_required(a), _required(b)]
    found: dict[str, ast.expr] = {}
    if [text(x) for x in ones.args] == [text(x) for x in others.args] and not ones.keywords + others.keywords:
        if any(isinstance(x, ast.Starred) for x in ones.args) and len(required[0]) != len(required[1]):
            raise _Apart
        found = {mine: name(other) for mine, other in zip(*required)}
    else:
        mine_given = arguments_of(ones, a.factory)  # type: ignore[arg-type]
        other_given = arguments_of(others, b.factory)  # type: ignore[arg-type]
        if mine_given is None or other_given is None:
            raise _Apart
        by_value = {text(value): name(label) for label, value in other_given.items()}
        for label, value in mine_given.items():
            same = value if isinstance(value, ast.Constant) else by_value.get(text(value))
            if same is not None:
                found[label] = same
    arguments = a.factory.args.args
    tail = arguments[len(arguments) - len(a.factory.args.defaults) :]
    for argument, default in zip(tail, a.factory.args.defaults):
        if isinstance(default, ast.Constant):
            found.setdefault(argument.arg, default)
    return found


def _required(kernel: Kernel) -> list[str]:
    arguments = kernel.factory.args.args
    return [x.arg for x in arguments[: len(arguments) - len(kernel.factory.args.defaults)]]


def _program(kernel: Kernel, words: dict[str, ast.expr]) -> Points:
    """The first kernel's points in the second's words."""
    points = points_of(kernel)
    if points is None:
        raise _Apart

    def said(node: ast.expr) -> ast.expr:
        node = substituted(node, kernel.sizes)
        return replaced(node, lambda part: words.get(part.id) if isinstance(part, ast.Name) else None)

    own = {axis.name for axis in points.axes} | set(points.scalars)
    own |= {p.name for s in points.steps for p in inside(s) if isinstance(p, Let)}
    if own & set(words):
        raise _Apart
    return Points(
        tuple(replace(axis, extent=said(axis.extent)) for axis in points.axes),
        tuple(changed(step, said) for step in points.steps),
        {label: said(dtype) for label, dtype in points.scalars.items()},
    )


@dataclass(frozen=True)
class _Element:
    """What a tensor held at each element of a row: a value in terms of its column."""

    column: str
    value: ast.expr


def _joined(a: Kernel, b: Kernel, ours: Points, passed: dict[str, str]) -> Points:
    theirs = points_of(b)
    if theirs is None or len(ours.axes) != 1:
        raise _Apart
    row = ours.axes[0]
    theirs = _by_rows(theirs, row)
    steps = ours.steps
    scalars = dict(ours.scalars)
    taken = names(b.factory) | set(theirs.scalars) | {p for s in theirs.steps for p in used_in(s)}
    for label in {row.name, *scalars, *_labels(steps)} & taken:
        new = next(w for w in (f"{label}_{n}" for n in range(1, 99)) if w not in taken)
        steps = tuple(renamed(step, label, new) for step in steps)
        scalars = {new if key == label else key: dtype for key, dtype in scalars.items()}
        row = replace(row, name=new) if row.name == label else row
    steps = tuple(renamed(step, row.name, theirs.axes[0].name) for step in steps)
    row_name = theirs.axes[0].name
    kept: list[Step] = []
    per_row: dict[str, str] = {}
    per_element: dict[str, _Element] = {}
    for step in steps:
        kept += _without_stores(step, a, row_name, scalars, per_row, per_element)
    if set(per_row) | set(per_element) != set(passed.values()):
        raise _Apart

    def read(part: ast.expr) -> ast.expr | None:
        if not isinstance(part, ast.Subscript) or text(part.value) not in passed:
            return None
        places, output = indices(part), passed[text(part.value)]
        if text(places[0]) != row_name or len(places) > 2:
            raise _Apart
        if len(places) == 1 and output in per_row:
            return name(per_row[output])
        if len(places) == 2 and output in per_element:
            element = per_element[output]
            return substituted(element.value, {element.column: places[1]})
        raise _Apart

    own_inputs = {tensor for tensor in a.tensors if tensor not in a.outputs}
    if own_inputs & ({*passed, *b.outputs}):
        raise _Apart  # a name that would mean two tensors
    after = tuple(changed(step, lambda node: replaced(node, read)) for step in theirs.steps)
    return Points(theirs.axes, (*kept, *after), {**scalars, **theirs.scalars})


def _labels(steps: Sequence[Step]) -> set[str]:
    parts = [part for step in steps for part in inside(step)]
    axes = {axis.name for part in parts if isinstance(part, Loop) for axis in part.axes}
    return axes | {part.name for part in parts if isinstance(part, Let)}


def _by_rows(points: Points, row: Axis) -> Points:
    """Points over rows and columns as points over rows with a loop over columns."""
    rows = [axis for axis in points.axes if text(axis.extent) == text(row.extent)]
    others = tuple(axis for axis in points.axes if axis not in rows)
    if len(rows) != 1 or len(others) > 1:
        raise _Apart
    if not others:
        return Points((rows[0],), points.steps, points.scalars)
    return Points((rows[0],), (Loop((replace(others[0], block=""),), points.steps),), points.scalars)


def _without_stores(
    step: Step,
    kernel: Kernel,
    row: str,
    scalars: dict[str, ast.expr],
    per_row: dict[str, str],
    per_element: dict[str, _Element],
) -> list[Step]:
    """A step of the first kernel without what it stores, which is remembered instead."""
    if isinstance(step, Store):
        tensor = text(step.target.value)
        if [text(i) for i in indices(step.target)] != [row] or tensor in per_row:
            raise _Apart
        label = f"{tensor.lower()}_of_row"
        scalars[label] = kernel.tensors[tensor].dtype
        per_row[tensor] = label
        return [Set(label, step.value)]
    if not isinstance(step, Loop):
        return [step]
    kept: list[Step] = []
    known: dict[str, ast.expr] = {}
    for part in step.steps:
        if isinstance(part, Let):
            known[part.name] = substituted(part.value, known)
        if not isinstance(part, Store):
            kept.append(part)
            continue
        tensor = text(part.target.value)
        column = step.axes[0].name
        if len(step.axes) != 1 or [text(i) for i in indices(part.target)] != [row, column] or tensor in per_element:
            raise _Apart
        per_element[tensor] = _Element(column, substituted(part.value, known))
    if any(not isinstance(part, Let) for part in kept):
        return [Loop(step.axes, tuple(kept))]
    return []


def _inputs(
    a: Kernel,
    b: Kernel,
    first: Launched,
    second: Launched,
    passed: dict[str, str],
    words: dict[str, ast.expr],
    positions: Positions,
) -> tuple[list[str], list[str]]:
    """The declarations of what the joint kernel reads, and the arguments of its call."""
    found: dict[str, tuple[str, str]] = {}
    mine = [tensor for tensor in a.tensors if tensor not in a.outputs]
    theirs = [tensor for tensor in b.tensors if tensor not in b.outputs]
    if len(mine) != len(first.call.args):
        raise _Apart
    for tensor, argument in zip(mine, first.call.args):
        found[tensor] = (_declared(a.tensors[tensor], words, b.language), positions.text(argument))
    for tensor, argument in zip(theirs, second.call.args):
        if tensor in passed:
            continue
        entry = (_declared(b.tensors[tensor], {}, b.language), positions.text(argument))
        if found.setdefault(tensor, entry)[1] != entry[1]:
            raise _Apart
        found[tensor] = entry
    if len({argument for _, argument in found.values()}) != len(found):
        raise _Apart
    return [declared for declared, _ in found.values()], [argument for _, argument in found.values()]


def _declared(tensor: Tensor, words: dict[str, ast.expr], language: str) -> str:
    shape = text(substituted(ast.Tuple(list(tensor.shape), ast.Load()), words))
    return f"{tensor.name}: {language}.Tensor({shape}, {text(substituted(tensor.dtype, words))})"
