"""What does a kernel compute for each point of its output, whichever thread does it?

The records in which a kernel is held between the way it was written (one thread a point, one block a row, tiles)
and the way it will be written.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from tilewright.proposers.rewrites.reading.expressions import call_name, name, names, replaced, substituted, uncast


@dataclass(frozen=True)
class Axis:
    """`name` runs over [0, extent). `block` is the launch's block index that it comes from, if any."""

    name: str
    extent: ast.expr
    block: str = ""


@dataclass(frozen=True)
class Let:
    """A name for a value that is not set again."""

    name: str
    value: ast.expr


@dataclass(frozen=True)
class Set:
    """A scalar takes a value; it may be in the value itself."""

    name: str
    value: ast.expr


@dataclass(frozen=True)
class Store:
    target: ast.Subscript
    value: ast.expr


@dataclass(frozen=True)
class Atomic:
    """`T.atomic_add(target, value)`; other atomics by their name in `operation`."""

    operation: str
    target: ast.expr
    value: ast.expr


@dataclass(frozen=True)
class When:
    condition: ast.expr
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Loop:
    """The steps for every combination of the axes, in order where one depends on the one before."""

    axes: tuple[Axis, ...]
    steps: tuple[Step, ...]


Step = Let | Set | Store | Atomic | When | Loop


@dataclass(frozen=True)
class Points:
    """`steps` are done once for every combination of `axes`, in any order or all at once.

    `scalars` are the dtypes of what the steps `Set`.
    """

    axes: tuple[Axis, ...]
    steps: tuple[Step, ...]
    scalars: dict[str, ast.expr]


@dataclass(frozen=True)
class Accumulation:
    """A scalar that a loop adds to, or keeps the largest or smallest of."""

    name: str
    operation: str
    value: ast.expr


def accumulation(step: Step) -> Accumulation | None:
    """`acc = acc + e` and `acc = max(acc, e)` and `min`, with the operation "sum", "max" or "min"."""
    if not isinstance(step, Set):
        return None
    value = step.value
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
        for this, other in ((value.left, value.right), (value.right, value.left)):
            if _is(this, step.name) and step.name not in names(other):
                return Accumulation(step.name, "sum", other)
    if isinstance(value, ast.Call) and call_name(value) in ("max", "min") and len(value.args) == 2:
        for this, other in ((value.args[0], value.args[1]), (value.args[1], value.args[0])):
            if _is(this, step.name) and step.name not in names(other):
                return Accumulation(step.name, call_name(value), other)
    return None


def is_neutral(value: ast.expr, operation: str) -> bool:
    """Whether an accumulation that starts from `value` starts from nothing."""
    if operation == "sum":
        return isinstance(_bare(value), ast.Constant) and getattr(_bare(value), "value", None) == 0
    negative = isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.USub)
    inner = value.operand if isinstance(value, ast.UnaryOp) else value
    return call_name(inner) == "infinity" and negative == (operation == "max")


def reduction(loop: Loop) -> tuple[tuple[Step, ...], tuple[Accumulation, ...]] | None:
    """A loop's steps as (what is computed for each element, what of it is accumulated); None for any other loop.

    Accumulated scalars may be used nowhere else in the loop.
    """
    found = [(step, accumulation(step)) for step in loop.steps]
    inner = {step.name for step, kind in found if isinstance(step, Set) and kind is None}
    gathered = tuple(kind for _, kind in found if kind is not None and kind.name not in inner)
    per_element = tuple(step for step, kind in found if kind is None or kind.name in inner)
    if not gathered or len({kind.name for kind in gathered}) != len(gathered):
        return None
    taken = {kind.name for kind in gathered}
    values = {used for kind in gathered for used in names(kind.value)}
    if taken & values or any(taken & used_in(step) for step in per_element):
        return None
    if any(isinstance(part, (Store, Atomic)) for step in per_element for part in inside(step)):
        return None
    return per_element, gathered


@dataclass(frozen=True)
class RunningSum:
    """A loop that adds `value` to a scalar and then uses the sum so far in steps that store."""

    name: str
    value: ast.expr
    after: tuple[Step, ...]


def running_sum(loop: Loop) -> RunningSum | None:
    """A prefix sum: None for any other loop."""
    lets: dict[str, ast.expr] = {}
    for place, step in enumerate(loop.steps):
        if isinstance(step, Let):
            lets[step.name] = substituted(step.value, lets)
            continue
        found = accumulation(step)
        after = loop.steps[place + 1 :]
        if found is None or found.operation != "sum" or not after:
            return None
        if not all(isinstance(step, (Let, Store)) for step in after):
            return None
        return RunningSum(
            found.name,
            substituted(found.value, lets),
            tuple(changed(step, lambda node: substituted(node, lets)) for step in after),
        )
    return None


def stores_only(loop: Loop) -> bool:
    """Whether the loop's rounds only write: nothing is carried from one to the next."""
    return carried(loop.steps) == set() and any(isinstance(part, Store) for part in inside(loop))


def carried(steps: Sequence[Step], every: frozenset[str] = frozenset()) -> set[str]:
    """Scalars that are read before they are set, so that they bring something in from outside.

    What is set under a condition only does not count as set; `every` are the scalars of the steps around.
    """
    every |= {part.name for step in steps for part in inside(step) if isinstance(part, Set)}
    found: set[str] = set()
    ready: set[str] = set()
    for step in steps:
        if isinstance(step, Loop):
            found |= carried(step.steps, every) - ready
        elif isinstance(step, When):
            found |= (carried(step.steps, every) | names(step.condition) & every) - ready
        elif isinstance(step, Set):
            found |= (names(step.value) & every) - ready
            ready.add(step.name)
        else:
            found |= (used_in(step) & every) - ready
    return found


def written_and_read(steps: Sequence[Step]) -> set[str]:
    """Tensors that are both, so that the order of the points may count."""
    written: set[str] = set()
    read: set[str] = set()
    for step in steps:
        for part in inside(step):
            target = part.target if isinstance(part, (Store, Atomic)) else None
            if target is not None:
                written |= names(target.value) if isinstance(target, ast.Subscript) else names(target)
                read |= names(target.slice) if isinstance(target, ast.Subscript) else set()
            for expression in expressions_of(part):
                read |= names(expression) if expression is not target else set()
    return written & read


def inside(step: Step) -> Iterator[Step]:
    """A step and those in it."""
    yield step
    if isinstance(step, (Loop, When)):
        for part in step.steps:
            yield from inside(part)


def used_in(step: Step) -> set[str]:
    """Every name that a step reads or sets, its own loop axes included."""
    found: set[str] = set()
    for part in inside(step):
        for expression in expressions_of(part):
            found |= names(expression)
        if isinstance(part, (Let, Set)):
            found.add(part.name)
    return found


def expressions_of(step: Step) -> Iterator[ast.expr]:
    """The expressions of one step, without those of the steps inside it."""
    if isinstance(step, (Let, Set)):
        yield step.value
    elif isinstance(step, (Store, Atomic)):
        yield from (step.target, step.value)
    elif isinstance(step, When):
        yield step.condition
    else:
        yield from (axis.extent for axis in step.axes)


def changed(step: Step, change: Callable[[ast.expr], ast.expr]) -> Step:
    """A step with all its expressions changed."""
    if isinstance(step, (Let, Set)):
        return replace(step, value=change(step.value))
    if isinstance(step, Store):
        target = change(step.target)
        assert isinstance(target, ast.Subscript)
        return Store(target, change(step.value))
    if isinstance(step, Atomic):
        return Atomic(step.operation, change(step.target), change(step.value))
    steps = tuple(changed(part, change) for part in step.steps)
    if isinstance(step, When):
        return When(change(step.condition), steps)
    return Loop(tuple(replace(axis, extent=change(axis.extent)) for axis in step.axes), steps)


def renamed(step: Step, old: str, new: str) -> Step:
    """A step in which a scalar, a let or an axis has another name."""
    step = changed(
        step,
        lambda node: replaced(
            node, lambda part: name(new) if isinstance(part, ast.Name) and part.id == old else None
        ),
    )

    def declared(part: Step) -> Step:
        if isinstance(part, (Let, Set)) and part.name == old:
            return replace(part, name=new)
        if isinstance(part, (Loop, When)):
            part = replace(part, steps=tuple(declared(inner) for inner in part.steps))
        if isinstance(part, Loop):
            axes = tuple(replace(axis, name=new) if axis.name == old else axis for axis in part.axes)
            part = replace(part, axes=axes)
        return part

    return declared(step)


def flattened(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps with sums of sums (maxima of maxima) over two loops written as one over both."""
    done = []
    for step in steps:
        if isinstance(step, Loop):
            step = replace(step, steps=flattened(step.steps))
            while (wider := _merged(step)) is not None:
                step = wider
        elif isinstance(step, When):
            step = replace(step, steps=flattened(step.steps))
        done.append(step)
    return tuple(done)


def _merged(loop: Loop) -> Loop | None:
    """One loop of `for a: p = 0; for b: p += e; acc += p`."""
    if len(loop.steps) == 1 and isinstance(loop.steps[0], Loop):
        inner = loop.steps[0]
        own = {axis.name for axis in loop.axes}
        if any(own & names(axis.extent) for axis in inner.axes):
            return None
        return Loop((*loop.axes, *inner.axes), inner.steps)
    if len(loop.steps) != 3:
        return None
    start, middle, last = loop.steps
    outer = accumulation(last)
    if not (isinstance(start, Set) and isinstance(middle, Loop) and outer and _is(outer.value, start.name)):
        return None
    found = reduction(middle)
    if found is None or len(found[1]) != 1:
        return None
    per_element, (partial,) = found
    same = partial.name == start.name and partial.operation == outer.operation
    if not same or not is_neutral(start.value, outer.operation) or not isinstance(last, Set):
        return None
    if any({axis.name for axis in loop.axes} & names(axis.extent) for axis in middle.axes):
        return None
    total = replaced(last.value, lambda part: partial.value if _is(part, start.name) else None)
    return Loop((*loop.axes, *middle.axes), (*per_element, Set(last.name, total)))


def _is(node: ast.expr, identifier: str) -> bool:
    return isinstance(node, ast.Name) and node.id == identifier


def _bare(node: ast.expr) -> ast.expr:
    """`0.0` of `T.cast(0.0, dtype)` and `T.float32(0)`."""
    node = uncast(node)
    while isinstance(node, ast.Call) and call_name(node) in ("float32", "float16", "float64") and node.args:
        node = uncast(node.args[0])
    return node
