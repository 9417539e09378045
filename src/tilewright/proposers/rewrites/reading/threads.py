"""What does a kernel compute that was written thread by thread?

Two ways of writing are understood: every thread has points of the output of its own, and a block has one point
(a row) whose elements its threads go through, with barriers between the phases.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from tilewright.proposers.rewrites.reading.arrays import Array, with_arrays_read
from tilewright.proposers.rewrites.reading.expressions import (
    call_name,
    conjuncts,
    name,
    names,
    parse,
    polynomial,
    replaced,
    substituted,
    text,
    upper_bound,
)
from tilewright.proposers.rewrites.reading.kernels import Kernel, indices
from tilewright.proposers.rewrites.reading.points import (
    Atomic,
    Axis,
    Let,
    Loop,
    Points,
    Set,
    Step,
    Store,
    When,
    carried,
    changed,
    expressions_of,
    flattened,
    inside,
    renamed,
    used_in,
    written_and_read,
)
from tilewright.proposers.rewrites.reading.ranges import axis_named, radix, reach, split_axes
from tilewright.proposers.rewrites.reading.statements import Unclear, index_let, loop_extents, picks_one


def points_of_threads(kernel: Kernel) -> Points | None:
    """A kernel whose threads, or places of a `T.Parallel` loop, have points of their own."""
    try:
        return _Reader(kernel).thread_points()
    except Unclear:
        return None


def points_of_blocks(kernel: Kernel) -> Points | None:
    """A kernel in which a block has one point, and its threads share the work in phases."""
    if len(kernel.thread_names) != 1 or len(kernel.threads) != 1:
        return None
    try:
        return _Reader(kernel).block_points()
    except Unclear:
        return None


@dataclass
class _Nest:
    """What leads to the statements that do the work: lets, guards and loops around all of them."""

    core: list[ast.stmt]
    lets: dict[str, ast.expr] = field(default_factory=dict)
    guards: list[ast.expr] = field(default_factory=list)
    loops: dict[str, ast.expr] = field(default_factory=dict)


class _Reader:
    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.sizes = kernel.sizes
        self.scalars: dict[str, ast.expr] = {}
        self.definitions: dict[str, ast.expr] = {}
        self.private: set[str] = set()
        """Scalars of which every thread has another value by now."""
        self.blocks = dict(zip(kernel.blocks, kernel.grid))
        self.thread_extents = {
            thread: kernel.threads[axis] for thread, axis in kernel.thread_names.items() if axis < len(kernel.threads)
        }

    # ------------------------------------------------------------ a thread has points

    def thread_points(self) -> Points:
        nest = self.nest(list(self.kernel.body), _Nest([]))
        shared = {label for label, buffer in self.kernel.buffers.items() if buffer.scope == "shared"}
        if any(names(statement) & shared for statement in self.kernel.body):
            raise Unclear  # what threads tell each other
        if any(isinstance(s, ast.If) and picks_one(s.test, self.kernel) for s in nest.core):
            raise Unclear
        extents = {**self.blocks, **self.thread_extents, **nest.loops}
        axes = self.axes(nest, extents, needed=set(extents))
        steps = self.steps(nest.core, nest.lets, axes, set(extents))
        axes, steps = split_axes(axes, steps, {text(value): label for label, value in nest.lets.items()})
        return self.points(axes, flattened(steps))

    def nest(self, statements: list[ast.stmt], found: _Nest) -> _Nest:
        rest = list(statements)
        lets = dict(found.lets)
        while rest and (let := index_let(rest[0], self.kernel)) is not None:
            lets[let[0]] = let[1]
            rest = rest[1:]
        only = rest[0] if len(rest) == 1 else None
        if isinstance(only, ast.If) and not only.orelse and not picks_one(only.test, self.kernel):
            guards = [*found.guards, *conjuncts(only.test)]
            return self.nest(only.body, _Nest([], lets, guards, found.loops))
        if isinstance(only, ast.For) and self.independent(only):
            loops = {**found.loops, **dict(loop_extents(only))}
            return self.nest(only.body, _Nest([], lets, found.guards, loops))
        return _Nest(rest, lets, found.guards, found.loops)

    def independent(self, loop: ast.For) -> bool:
        """Rounds that bring nothing from one to the next."""
        try:
            return not loop_extents(loop) or not carried(self.plain_steps(loop.body))
        except Unclear:
            return False

    # ------------------------------------------------------------ a block has one point

    def block_points(self) -> Points:
        axes = [Axis(block, extent, block) for block, extent in self.blocks.items()]
        steps: list[Step] = []
        arrays: dict[str, Array] = {}
        lets: dict[str, ast.expr] = {}
        for statement in self.kernel.body:
            if call_name(getattr(statement, "value", statement)) in ("sync_threads", "syncthreads"):
                continue
            let = index_let(statement, self.kernel)
            if let is not None:
                lets[let[0]] = let[1]
                continue
            steps += self.phase(statement, lets, arrays)
        return self.points(axes, flattened(steps))

    def phase(self, statement: ast.stmt, lets: dict[str, ast.expr], arrays: dict[str, Array]) -> Iterator[Step]:
        threads = set(self.thread_extents)
        distributed = False
        if isinstance(statement, ast.If) and picks_one(statement.test, self.kernel) and not statement.orelse:
            found: Sequence[Step] = self.steps(statement.body, lets, [], threads)
        elif threads & _reached(statement, lets):
            distributed = True
            nest = self.nest([statement], _Nest([], dict(lets)))
            extents = {**self.thread_extents, **nest.loops}
            axes = self.axes(nest, extents, needed=set(extents))
            found = [Loop(tuple(axes), self.steps(nest.core, nest.lets, axes, set(extents)))]
            if carried(found):
                raise Unclear  # threads have values of their own from one phase to the next
        else:
            found = self.steps([statement], lets, [], threads)
        for step in found:
            if carried([step], frozenset(self.private)) & self.private:
                raise Unclear
            self.private -= {step.name} if isinstance(step, Set) else set()
            if distributed:
                self.private |= {part.name for part in inside(step) if isinstance(part, Set)}
            step = with_arrays_read(step, arrays)
            array = self.array(step)
            if array is not None:
                arrays[array.name] = array
            else:
                yield step

    def array(self, step: Step) -> Array | None:
        """A loop that fills shared memory, one element a round."""
        if not isinstance(step, Loop) or not step.steps or not isinstance(step.steps[-1], Store):
            return None
        last = step.steps[-1]
        base = last.target.value.id if isinstance(last.target.value, ast.Name) else ""
        if base not in self.kernel.buffers:
            return None
        single = len(step.axes) == 1 and [text(i) for i in indices(last.target)] == [step.axes[0].name]
        before = step.steps[:-1]
        if not single or carried(before) or any(isinstance(p, (Store, Atomic)) for s in before for p in inside(s)):
            raise Unclear
        value: ast.expr = last.value
        for scalar in {part.name for part in before for part in inside(part) if isinstance(part, (Set, Let))}:
            new = f"{base}_{scalar}"
            before = tuple(renamed(part, scalar, new) for part in before)
            value = substituted(value, {scalar: name(new)})
            if scalar in self.scalars:
                self.scalars[new] = self.scalars[scalar]
        return Array(base, step.axes[0], before, value)

    # ------------------------------------------------------------ axes

    def axes(self, nest: _Nest, extents: dict[str, ast.expr], needed: set[str]) -> list[Axis]:
        """The ranges that the variables of `extents` enumerate together, each of their elements once."""
        variables = frozenset(extents)
        bounds = [pair for guard in nest.guards if (pair := upper_bound(guard))]
        if len(bounds) != len(nest.guards):
            raise Unclear
        left = set(needed)
        found: list[Axis] = []
        for index, bound in bounds:
            axis = self.axis(index, nest, extents, variables, bound)
            if axis is None or not axis[1] <= left:
                raise Unclear
            found.append(self.named(axis[0], index))
            left -= axis[1]
        for value in self.candidates(nest):
            joint = self.axis(value, nest, extents, variables, None)
            if joint and joint[1] <= left and len(joint[1]) > 1:
                found.append(self.named(joint[0], value))
                left -= joint[1]
        for variable in sorted(left, key=list(extents).index):
            alone = self.axis(name(variable), nest, extents, variables, None)
            assert alone is not None
            found.append(alone[0])
        return found

    def named(self, axis: Axis, index: ast.expr) -> Axis:
        """An axis that has no name in the kernel gets one, and what it was written as is remembered."""
        if axis.name:
            return axis
        taken = {node.id for node in ast.walk(self.kernel.factory) if isinstance(node, ast.Name)}
        taken |= set(self.definitions)
        label = next(w for w in ("index", "row", "point", "place", "position") if w not in taken)
        self.definitions[label] = index
        return replace(axis, name=label)

    def candidates(self, nest: _Nest) -> Iterator[ast.expr]:
        yield from nest.lets.values()
        for statement in nest.core:
            for node in ast.walk(statement):
                if isinstance(node, ast.Subscript):
                    yield from indices(node)

    def axis(
        self,
        index: ast.expr,
        nest: _Nest,
        extents: dict[str, ast.expr],
        variables: frozenset[str],
        bound: ast.expr | None,
    ) -> tuple[Axis, set[str]] | None:
        known = {**self.sizes, **nest.lets}
        poly = polynomial(index, known, variables)
        composed = radix(poly, extents, self.sizes, variables)
        if composed is None:
            return None
        used, share = composed
        extent = bound or reach(extents[used[-1]], share, self.sizes)
        if extent is None:
            return None
        named = next((k for k, v in nest.lets.items() if polynomial(v, known, variables) == poly), "")
        label = named or (used[0] if len(used) == 1 else "")
        block = next((variable for variable in used if variable in self.blocks), "")
        return Axis(label, extent, block), set(used)

    # ------------------------------------------------------------ statements

    def steps(
        self, statements: Sequence[ast.stmt], lets: dict[str, ast.expr], axes: Sequence[Axis], gone: set[str]
    ) -> tuple[Step, ...]:
        """The statements with lets of indices written out and the axes in place of what they are made of."""
        variables = frozenset(gone)
        known = {**self.sizes, **lets}
        targets = {axis.name: polynomial(name(axis.name), known, variables) for axis in axes}
        defined = {axis.name: self.definitions[axis.name] for axis in axes if axis.name in self.definitions}
        targets.update({label: polynomial(index, known, variables) for label, index in defined.items()})
        hidden = {key: value for key, value in lets.items() if key not in targets}

        def named(node: ast.expr) -> ast.expr:
            node = substituted(node, hidden)
            return replaced(node, lambda part: axis_named(part, targets, known, variables))

        steps = tuple(changed(step, named) for step in self.plain_steps(statements))
        own = {axis.name for step in steps for part in inside(step) if isinstance(part, Loop) for axis in part.axes}
        leftover = set().union(*(used_in(step) for step in steps)) & gone - set(targets) - own
        if leftover:
            raise Unclear
        return steps

    def plain_steps(self, statements: Sequence[ast.stmt]) -> tuple[Step, ...]:
        return tuple(step for statement in statements for step in self.step(statement))

    def step(self, statement: ast.stmt) -> Iterator[Step]:
        if isinstance(statement, ast.Assign) and call_name(statement.value) == "alloc_var":
            yield from self.first_value(statement)
        elif isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            yield self.assignment(statement.targets[0], self.value(statement.value))
        elif isinstance(statement, ast.AugAssign):
            target = statement.target
            read = ast.BinOp(parse(text(target)), statement.op, statement.value)
            yield self.assignment(target, self.value(read))
        elif isinstance(statement, ast.For) and (extents := loop_extents(statement)):
            axes = tuple(Axis(label, self.value(extent)) for label, extent in extents)
            yield Loop(axes, self.plain_steps(statement.body))
        elif isinstance(statement, ast.If) and not statement.orelse:
            yield When(self.value(statement.test), self.plain_steps(statement.body))
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            call = statement.value
            if not call_name(call).startswith("atomic_") or len(call.args) != 2 or call.keywords:
                raise Unclear
            yield Atomic(call_name(call), call.args[0], self.value(call.args[1]))
        else:
            raise Unclear

    def first_value(self, statement: ast.Assign) -> Iterator[Step]:
        """`total = T.alloc_var("float32", init=0.0)`."""
        target, call = statement.targets[0], statement.value
        label = self.scalar(target)
        given = {keyword.arg: keyword.value for keyword in call.keywords} if isinstance(call, ast.Call) else {}
        if label is None or set(given) - {"init"}:
            raise Unclear
        if "init" in given:
            yield Set(label, self.value(given["init"]))

    def assignment(self, target: ast.expr, value: ast.expr) -> Step:
        scalar = self.scalar(target)
        if scalar is not None:
            return Set(scalar, value)
        if isinstance(target, ast.Name):
            return Let(target.id, value)
        if not isinstance(target, ast.Subscript) or not isinstance(target.value, ast.Name):
            raise Unclear
        written = target.value.id
        own = written in self.kernel.buffers
        if own and self.kernel.buffers[written].scope != "shared":
            raise Unclear
        if not own and (written not in self.kernel.tensors or written in names(value)):
            raise Unclear
        changed_target = self.value(target)
        assert isinstance(changed_target, ast.Subscript)
        return Store(changed_target, value)

    def value(self, node: ast.expr) -> ast.expr:
        def scalar(part: ast.expr) -> ast.expr | None:
            label = self.scalar(part)
            return name(label) if label and not isinstance(part, ast.Name) else None

        return replaced(node, scalar)

    def scalar(self, node: ast.expr) -> str | None:
        """The name of a scalar: `acc` for `acc[0]`, `stats_1` for `stats[1]`."""
        if isinstance(node, ast.Name) and node.id in self.kernel.buffers:
            buffer = self.kernel.buffers[node.id]
            if buffer.scope != "var":
                return None
            self.scalars[node.id] = buffer.dtype
            return node.id
        if not isinstance(node, ast.Subscript) or not isinstance(node.value, ast.Name):
            return None
        found = self.kernel.buffers.get(node.value.id)
        if found is None:
            return None
        if found.scope == "fragment":
            raise Unclear
        places = indices(node)
        if len(places) != 1 or not isinstance(places[0], ast.Constant):
            if found.scope == "shared":
                return None
            raise Unclear
        single = len(found.shape) == 1 and isinstance(found.shape[0], ast.Constant) and found.shape[0].value == 1
        label = node.value.id if single else f"{node.value.id}_{text(places[0])}"
        self.scalars[label] = found.dtype
        return label

    def points(self, axes: Sequence[Axis], steps: tuple[Step, ...]) -> Points:
        left = {node for step in steps for part in inside(step) for node in _buffer_uses(part, self.kernel)}
        if left or carried(steps) or len({axis.name for axis in axes}) != len(axes):
            raise Unclear
        if written_and_read(steps):
            raise Unclear
        return Points(tuple(axes), steps, dict(self.scalars))


def _reached(statement: ast.stmt, lets: dict[str, ast.expr]) -> set[str]:
    """The names of a statement, those behind its lets included."""
    found = names(statement)
    while True:
        more = set().union(*(names(lets[label]) for label in found if label in lets)) - found
        if not more:
            return found
        found |= more


def _buffer_uses(step: Step, kernel: Kernel) -> set[str]:
    found: set[str] = set()
    for expression in expressions_of(step):
        for node in ast.walk(expression):
            if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
                found |= {node.value.id} & set(kernel.buffers)
    return found
