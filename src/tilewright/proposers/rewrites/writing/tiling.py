"""How is what a kernel computes for each point written as tiles that a block's threads share?"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from tilewright.proposers.rewrites.reading.contiguity import Direction
from tilewright.proposers.rewrites.reading.elements import groups, inlined, numbered, places_of
from tilewright.proposers.rewrites.reading.expressions import (
    name,
    names,
    parse,
    replaced,
    substituted,
    substituted_once,
    text,
)
from tilewright.proposers.rewrites.reading.kernels import Kernel
from tilewright.proposers.rewrites.reading.points import (
    Accumulation,
    Atomic,
    Axis,
    Let,
    Loop,
    Points,
    RunningSum,
    Set,
    Step,
    Store,
    When,
    changed,
    inside,
    is_neutral,
    reduction,
    renamed,
    running_sum,
    stores_only,
    used_in,
)

_NEUTRAL = {"sum": "0", "max": "-{T}.infinity({dtype})", "min": "{T}.infinity({dtype})"}


class NotTiled(Exception):
    """The points can't be written this way."""


@dataclass(frozen=True)
class Shape:
    """What a block's tile is called: `points` of the tiled axis by `elements` of the loops; knobs' names."""

    points: str
    elements: str
    threads: str
    rounds: str = ""
    """Tiles that a block goes through, where a sum may run over several."""
    splits: str = ""
    """Into how many blocks' shares the loops are split, but for loops over the shares themselves."""
    share: str = ""
    """The axis that says which share a block has."""


def write_tiles(kernel: Kernel, points: Points, direction: Direction, tiled: Axis, shape: Shape) -> list[str]:
    """The lines of a launch that computes the points in tiles. Raises `NotTiled` where that can't be said."""
    return _Writer(kernel, points, direction, tiled, shape).launch()


@dataclass
class _Lines:
    lines: list[str] = field(default_factory=list)

    def add(self, depth: int, *lines: str) -> None:
        self.lines += ["    " * depth + line for line in lines]


class _Writer:
    def __init__(self, kernel: Kernel, points: Points, direction: Direction, tiled: Axis, shape: Shape) -> None:
        self.kernel, self.direction, self.shape = kernel, direction, shape
        self.T = kernel.language
        inside_launch = {id(node) for node in ast.walk(kernel.launch)}
        outside = [node for node in ast.walk(kernel.factory) if id(node) not in inside_launch]
        self.taken = {node.id for node in outside if isinstance(node, ast.Name)}
        self.taken |= {node.arg for node in outside if isinstance(node, ast.arg)}
        self.taken |= {shape.points, shape.elements, shape.threads, self.T.partition(".")[0]}
        self.i, self.j, self.k = self.fresh("i"), self.fresh("j"), self.fresh("k")
        self.points, self.tiled = self.named_apart(points, tiled)
        self.point, self.element = (self.i, self.j) if direction == "rows" else (self.j, self.i)
        self.tile, self.number = self.fresh("bx"), self.fresh("element")
        self.allocated: dict[str, str] = {}
        self.partials: dict[str, str] = {}
        self.body = _Lines()

    def fresh(self, wish: str) -> str:
        found = next(w for w in (wish, *(f"{wish}_{n}" for n in range(2, 99))) if w not in self.taken)
        self.taken.add(found)
        return found

    def named_apart(self, points: Points, tiled: Axis) -> tuple[Points, Axis]:
        """The points with every name in them free of what the factory and the tiles are called."""
        found = {axis.name: axis.name for axis in points.axes} | {scalar: scalar for scalar in points.scalars}
        for step in points.steps:
            for part in inside(step):
                labels = [axis.name for axis in part.axes] if isinstance(part, Loop) else []
                found.update({label: label for label in labels})
                found.update({part.name: part.name} if isinstance(part, Let) else {})
        steps = points.steps
        for label in found:
            found[label] = self.fresh("index" if label in (self.i, self.j, self.k) else label)
            if found[label] != label:
                steps = tuple(renamed(step, label, found[label]) for step in steps)
        axes = tuple(replace(axis, name=found[axis.name]) for axis in points.axes)
        scalars = {found[label]: dtype for label, dtype in points.scalars.items()}
        return Points(axes, steps, scalars), axes[points.axes.index(tiled)]

    # ------------------------------------------------------------ the launch

    def launch(self) -> list[str]:
        loops = any(isinstance(step, Loop) for step in self.points.steps)
        self.write(inlined(self.points.steps) if loops else self.points.steps)
        grid, blocks, prefix = self.grid()
        out = _Lines()
        target = blocks[0] if len(blocks) == 1 else f"({', '.join(blocks)})"
        line = f"with {self.T}.Kernel({', '.join(grid)}, threads={self.shape.threads}) as {target}:"
        out.add(0, line)
        out.add(1, *prefix)
        for label, call in self.allocated.items():
            out.add(1, f"{label} = {call}")
        if self.allocated:
            out.add(0, "")
        out.lines += ["    " + line if line else line for line in self.body.lines]
        return out.lines

    def grid(self) -> tuple[list[str], list[str], list[str]]:
        """Extents and names of the launch's axes. The first takes what was first: only it may exceed 65535."""
        others = [axis for axis in self.points.axes if axis is not self.tiled]
        share = f"{self.shape.points} * {self.shape.rounds}" if self.shape.rounds else self.shape.points
        tiles = f"{self.T}.ceildiv({text(self.tiled.extent)}, {share})"
        first = self.kernel.blocks[0]
        entries = [(tiles, self.tile, self.tiled.block)]
        entries += [(text(axis.extent), axis.name, axis.block) for axis in others]
        entries.sort(key=lambda entry: self.kernel.blocks.index(entry[2]) if entry[2] else len(self.kernel.blocks))
        if entries[0][2] != first and len(entries) > 1:
            entries.sort(key=lambda entry: entry[1] == self.tile)
        prefix: list[str] = []
        while len(entries) > 3:
            (outer, outer_name, _), (inner, inner_name, block) = entries[-2:]
            joint = self.fresh("pair")
            prefix = [f"{outer_name} = {joint} // ({inner})", f"{inner_name} = {joint} % ({inner})", *prefix]
            entries[-2:] = [(f"({outer}) * ({inner})", joint, block)]
        return [e[0] for e in entries], [e[1] for e in entries], prefix

    # ------------------------------------------------------------ steps of a point

    def write(self, steps: Sequence[Step]) -> None:
        started: dict[str, ast.expr] = {}
        group: list[Step] = []
        for step in steps:
            if not isinstance(step, Loop):
                found = self.started_by(step, steps)
                if found:
                    started[found] = step.value if isinstance(step, Set) else parse("0")
                else:
                    group.append(step)
                continue
            self.scalar_group(group)
            group = []
            gathered = reduction(step)
            if gathered is not None:
                self.reduce(step, *gathered, started)
            elif stores_only(step):
                self.elements(step, list(step.steps), set())
            elif (sum_so_far := running_sum(step)) is not None:
                self.scan(step, sum_so_far, started)
            else:
                raise NotTiled
        self.scalar_group(group)

    def started_by(self, step: Step, steps: Sequence[Step]) -> str:
        """The scalar that a step sets only to start an accumulation in the next loop that touches it."""
        if not isinstance(step, Set):
            return ""
        place = next(i for i, other in enumerate(steps) if other is step)
        for later in steps[place + 1 :]:
            if isinstance(later, Loop):
                found = reduction(later)
                running = running_sum(later)
                gathered = {accumulation.name for accumulation in found[1]} if found else set()
                if step.name in gathered | ({running.name} if running else set()):
                    return step.name
            if step.name in used_in(later):
                return ""
        return ""

    def scalar_group(self, steps: Sequence[Step]) -> None:
        """What is done once a point."""
        if not steps:
            return
        if any(isinstance(step, Atomic) for step in steps):
            self.atomic_group(steps)
            return
        for step in steps:
            if isinstance(step, Set):
                self.fragment(step.name, per_point=True)
        self.body.add(0, f"for {self.point} in {self.T}.Parallel({self.shape.points}):")
        stores = any(isinstance(part, Store) for step in steps for part in inside(step))
        read = set().union(*(used_in(step) for step in steps))
        if stores or self.tiled.name in read:
            self.body.add(1, self.tiled_let())
        if stores:
            self.body.add(1, f"if {self.tiled.name} < {text(self.tiled.extent)}:")
        self.plain(steps, 2 if stores else 1, self.at_point)

    def tiled_let(self) -> str:
        return f"{self.tiled.name} = {self.tile} * {self.shape.points} + {self.point}"

    # ------------------------------------------------------------ steps of a loop

    def reduce(
        self,
        loop: Loop,
        per_element: tuple[Step, ...],
        gathered: tuple[Accumulation, ...],
        started: dict[str, ast.expr],
    ) -> None:
        partials: dict[str, str] = {}
        for accumulation in gathered:
            begin = started.pop(accumulation.name, None)
            if begin is None or not is_neutral(begin, accumulation.operation):
                raise NotTiled
            partial = self.partials.setdefault(accumulation.name, f"{accumulation.name}_partial")
            partials[accumulation.name] = partial
            self.fragment(accumulation.name, per_point=True)
            self.fragment(partial, per_point=False, like=accumulation.name)
            neutral = _NEUTRAL[accumulation.operation].format(
                T=self.T, dtype=text(self.points.scalars[accumulation.name])
            )
            self.body.add(0, f"{self.T}.fill({partial}, {neutral})")
        steps = [*per_element, *(self.gathering(a, partials[a.name]) for a in gathered)]
        self.elements(loop, steps, set(partials.values()))
        dim = 1 if self.direction == "rows" else 0
        for accumulation in gathered:
            partial = partials[accumulation.name]
            line = f"{self.T}.reduce_{accumulation.operation}({partial}, {accumulation.name}, dim={dim})"
            self.body.add(0, line)

    def gathering(self, accumulation: Accumulation, partial: str) -> Set:
        if accumulation.operation == "sum":
            return Set(partial, ast.BinOp(name(partial), ast.Add(), accumulation.value))
        call = f"{self.T}.{accumulation.operation}({partial}, value)"
        return Set(partial, substituted(parse(call), {"value": accumulation.value}))

    def scan(self, loop: Loop, found: RunningSum, started: dict[str, ast.expr]) -> None:
        """A sum whose every stage is used: tiles are summed up by the block, and the sum so far is carried on."""
        label = found.name
        begin = started.pop(label, None)
        if begin is None or len(loop.axes) != 1 or self.direction != "rows":
            raise NotTiled
        dtype = text(self.points.scalars[label])
        tile = self.fresh(f"{label}_tile")
        self.allocated[tile] = f"{self.T}.alloc_shared(({self.shape.points}, {self.shape.elements}), {dtype})"
        self.scalar_group([Set(label, begin)])
        axis = loop.axes[0]
        here = f"{tile}[{self.i}, {self.j}]"
        both = f"for {self.i}, {self.j} in {self.T}.Parallel({self.shape.points}, {self.shape.elements}):"
        lets = [self.tiled_let(), f"{axis.name} = {self.k} * {self.shape.elements} + {self.element}"]
        guard = f"if {self.tiled.name} < {text(self.tiled.extent)} and {axis.name} < {text(axis.extent)}:"
        rounds = f"{self.T}.ceildiv({text(axis.extent)}, {self.shape.elements})"
        so_far = ast.BinOp(name(label), ast.Add(), parse(here))
        self.body.add(0, f"for {self.k} in {self.T}.serial({rounds}):")
        self.body.add(1, f"{self.T}.clear({tile})", both)
        self.body.add(2, *lets, guard, f"    {here} = {text(self.at_point(found.value))}")
        self.body.add(1, f"{self.T}.cumsum({tile}, dim=1)", both)
        self.body.add(2, *lets, guard)
        after = [changed(step, lambda node: substituted_once(node, label, so_far)) for step in found.after]
        self.plain(after, 3, self.at_point)
        self.body.add(1, f"for {self.point} in {self.T}.Parallel({self.shape.points}):")
        self.body.add(2, f"{label}[{self.point}] += {tile}[{self.point}, {self.shape.elements} - 1]")

    def atomic_group(self, steps: Sequence[Step]) -> None:
        """Atomics on an address that the whole tile shares: one for the block, with what its threads gathered."""
        atomics = [step for step in steps if isinstance(step, Atomic)]
        if len(atomics) != 1 or steps[-1] is not atomics[0] or any(isinstance(s, (Store, When)) for s in steps):
            raise NotTiled
        atomic = atomics[0]
        operation = {"atomic_add": "sum", "atomic_max": "max", "atomic_min": "min"}.get(atomic.operation)
        if operation is None or self.tiled.name in names(atomic.target):
            raise NotTiled
        if not isinstance(atomic.target, ast.Subscript):
            raise NotTiled
        dtype = text(self.kernel.tensors[text(atomic.target.value)].dtype)
        total, partial, thread = self.fresh("total"), self.fresh("partial"), self.fresh("tx")
        self.allocated[thread] = f"{self.T}.get_thread_binding(0)"
        self.allocated[partial] = f"{self.T}.alloc_fragment(({self.shape.points},), {dtype})"
        self.allocated[total] = f"{self.T}.alloc_fragment((1,), {dtype})"
        here = name(partial)
        step = self.gathering(Accumulation(partial, operation, atomic.value), partial)
        self.body.add(0, f"{self.T}.fill({partial}, {_NEUTRAL[operation].format(T=self.T, dtype=dtype)})")
        self.body.add(0, f"for {self.k} in {self.T}.serial({self.shape.rounds}):")
        self.body.add(1, f"for {self.point} in {self.T}.Parallel({self.shape.points}):")
        index = f"({self.tile} * {self.shape.rounds} + {self.k}) * {self.shape.points} + {self.point}"
        self.body.add(2, f"{self.tiled.name} = {index}", f"if {self.tiled.name} < {text(self.tiled.extent)}:")
        element = parse(f"{partial}[{self.point}]")
        self.plain([*steps[:-1], step], 3, lambda node: substituted_once(node, here.id, element))
        self.body.add(0, f"{self.T}.reduce_{operation}({partial}, {total}, dim=0)", f"if {thread} == 0:")
        self.body.add(1, f"{self.T}.{atomic.operation}({text(atomic.target)}, {total}[0])")

    def elements(self, loop: Loop, steps: Sequence[Step], partials: set[str]) -> None:
        """Rounds over tiles of the loop's elements."""
        for axis in loop.axes:
            if {other.name for other in loop.axes} & names(axis.extent):
                raise NotTiled
        extent = " * ".join(_factor(axis.extent) for axis in loop.axes)
        rounds = f"{self.T}.ceildiv({extent}, {self.shape.elements})"
        start = self.k
        if self.shape.splits and extent != self.shape.splits:
            rounds = f"{self.T}.ceildiv({extent}, {self.shape.elements} * {self.shape.splits})"
            start = f"({self.shape.share} * {rounds} + {self.k})"
        flat = loop.axes[0].name if len(loop.axes) == 1 else self.number
        lets = [self.tiled_let(), f"{flat} = {start} * {self.shape.elements} + {self.element}"]
        guard = f"if {self.tiled.name} < {text(self.tiled.extent)} and {flat} < {extent}:"
        places = places_of(loop.axes, flat)
        local = {part.name for step in steps for part in inside(step) if isinstance(part, Set)}
        for label in local - partials:
            self.fragment(label, per_point=False)
        self.body.add(0, f"for {self.k} in {self.T}.serial({rounds}):")

        def write_group(group: Sequence[Step], depth: int) -> None:
            if len(group) == 1 and isinstance(group[0], Loop):
                self.inner_loop(group[0], depth, write_group)
                return
            first, second = self.shape.points, self.shape.elements
            if self.direction == "columns":
                first, second = second, first
            self.body.add(depth, f"for {self.i}, {self.j} in {self.T}.Parallel({first}, {second}):")
            group = [changed(step, lambda node: numbered(node, loop.axes, name(flat))) for step in group]
            read = set().union(*(used_in(step) for step in group))
            needed = [f"{label} = {text(value)}" for label, value in places.items() if label in read]
            self.body.add(depth + 1, *lets, guard)
            self.body.add(depth + 2, *needed)
            self.plain(group, depth + 2, lambda node: self.at_element(node, local))

        nested = any(isinstance(step, Loop) for step in steps)
        for group in groups(inlined(steps) if nested else steps):
            write_group(group, 1)

    def inner_loop(self, loop: Loop, depth: int, write_group: Callable[[Sequence[Step], int], None]) -> None:
        """A loop that each element goes through: outside, so that the elements stay side by side."""
        labels = ", ".join(axis.name for axis in loop.axes)
        kind = "grid" if len(loop.axes) > 1 else "serial"
        extents = ", ".join(text(axis.extent) for axis in loop.axes)
        self.body.add(depth, f"for {labels} in {self.T}.{kind}({extents}):")
        for inner in groups(loop.steps):
            write_group(inner, depth + 1)

    # ------------------------------------------------------------ statements and expressions

    def plain(self, steps: Iterable[Step], depth: int, there: Callable[[ast.expr], ast.expr]) -> None:
        for step in steps:
            if isinstance(step, Let):
                self.body.add(depth, f"{step.name} = {text(there(step.value))}")
            elif isinstance(step, Set):
                self.body.add(depth, _assignment(text(there(name(step.name))), text(there(step.value))))
            elif isinstance(step, Store):
                self.body.add(depth, f"{text(there(step.target))} = {text(there(step.value))}")
            elif isinstance(step, When):
                self.body.add(depth, f"if {text(there(step.condition))}:")
                self.plain(step.steps, depth + 1, there)
            else:
                raise NotTiled

    def at_point(self, node: ast.expr) -> ast.expr:
        return self.at_element(node, set())

    def at_element(self, node: ast.expr, local: set[str]) -> ast.expr:
        def change(part: ast.expr) -> ast.expr | None:
            if not isinstance(part, ast.Name):
                return None
            if part.id in local:
                return parse(f"{part.id}[{self.i}, {self.j}]")
            return parse(f"{part.id}[{self.point}]") if part.id in self.points.scalars else None

        return replaced(node, change)

    def fragment(self, label: str, per_point: bool, like: str = "") -> None:
        shape = f"({self.shape.points},)"
        if not per_point:
            rows = self.direction == "rows"
            first, second = self.shape.points, self.shape.elements
            shape = f"({first}, {second})" if rows else f"({second}, {first})"
        call = f"{self.T}.alloc_fragment({shape}, {text(self.points.scalars[like or label])})"
        if self.allocated.setdefault(label, call) != call:
            raise NotTiled


def _factor(extent: ast.expr) -> str:
    return text(extent) if isinstance(extent, (ast.Name, ast.Constant)) else f"({text(extent)})"


def _assignment(target: str, value: str) -> str:
    if value.startswith(f"{target} + "):
        rest = value[len(target) + 3 :]
        if all(isinstance(n.op, (ast.Mult, ast.Div)) for n in [parse(rest)] if isinstance(n, ast.BinOp)):
            return f"{target} += {rest}"
    return f"{target} = {value}"
