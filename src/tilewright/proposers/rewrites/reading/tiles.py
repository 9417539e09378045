"""What does a kernel compute that goes along rows tile by tile?

Understood are kernels whose blocks have a tile of rows (one row, or `block_M` of them), and that go through each
row in a serial loop over tiles: element by element in `T.Parallel`, copied with `T.copy`, gathered with `T.reduce_*`
into one value a row.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tilewright.proposers.rewrites.reading.expressions import (
    call_name,
    conjuncts,
    name,
    names,
    parse,
    polynomial,
    replaced,
    same,
    substituted,
    text,
    upper_bound,
)
from tilewright.proposers.rewrites.reading.kernels import Kernel, indices
from tilewright.proposers.rewrites.reading.points import (
    Accumulation,
    Axis,
    Loop,
    Points,
    Set,
    Step,
    Store,
    accumulation,
    carried,
    flattened,
    inside,
    used_in,
    written_and_read,
)
from tilewright.proposers.rewrites.reading.ranges import radix, reach
from tilewright.proposers.rewrites.reading.statements import Unclear, assigned, opened

_REDUCTIONS = {"reduce_sum": "sum", "reduce_max": "max", "reduce_min": "min"}


def points_of_tiles(kernel: Kernel) -> Points | None:
    if kernel.thread_names or any(b.scope not in ("shared", "fragment") for b in kernel.buffers.values()):
        return None
    try:
        return _Reader(kernel).points()
    except Unclear:
        return None


@dataclass(frozen=True)
class _Tile:
    """What a two-dimensional buffer holds: `value` in terms of its row and column variables."""

    row: str
    column: str
    value: ast.expr


@dataclass(frozen=True)
class _Partial:
    """A per-row buffer that holds one tile's reduction, not yet added to anything."""

    operation: str
    value: ast.expr


class _Reader:
    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.sizes = kernel.sizes
        self.blocks = dict(zip(kernel.blocks, kernel.grid))
        self.rows, self.columns = self.edges()
        self.axes: dict[str, Axis] = {}
        self.arrays: dict[str, list[tuple[Axis, Accumulation]]] = {}
        self.scalars = {b.name: b.dtype for b in kernel.buffers.values() if len(b.shape) == 1}
        taken = {n.id for n in ast.walk(kernel.factory) if isinstance(n, ast.Name)} | set(kernel.tensors)
        self.row_name = next(w for w in ("row", "line", "point_") if w not in taken or w in kernel.blocks)
        self.element = next(w for w in ("col", "element", "element_") if w not in taken)

    def edges(self) -> tuple[ast.expr, ast.expr]:
        """The rows and columns of the tiles; all tiles of a kernel have the same, or one that has one of them."""
        tiles = [buffer for buffer in self.kernel.buffers.values() if len(buffer.shape) == 2]
        whole = [b for b in tiles if text(b.shape[0]) != "1" or text(b.shape[1]) != "1"]
        if not whole:
            raise Unclear
        fragments = [b for b in whole if b.scope == "fragment"] or whole
        return fragments[0].shape[0], fragments[0].shape[1]

    def points(self) -> Points:
        steps: list[Step] = []
        for statement in self.kernel.body:
            steps += self.top(statement)
        others = [Axis(b, e, b) for b, e in self.blocks.items() if b not in {a.block for a in self.axes.values()}]
        axes = [*self.axes.values(), *others]
        done = flattened(steps)
        if not self.axes or carried(done) or written_and_read(done):
            raise Unclear
        kept = {part.name for step in done for part in inside(step) if isinstance(part, Set)}
        return Points(tuple(axes), done, {label: d for label, d in self.scalars.items() if label in kept})

    # ------------------------------------------------------------ statements of the block

    def top(self, statement: ast.stmt) -> Iterator[Step]:
        call = statement.value if isinstance(statement, ast.Expr) else None
        if isinstance(call, ast.Call) and call_name(call) in ("clear", "fill"):
            target = text(call.args[0])
            if target in self.kernel.buffers and target not in self.scalars:
                self.arrays[target] = []
                return
            if target not in self.scalars:
                raise Unclear
            yield Set(target, call.args[1] if call_name(call) == "fill" else parse("0"))
        elif isinstance(call, ast.Call) and call_name(call) in _REDUCTIONS:
            yield from self.reduced_array(call)
        elif isinstance(call, ast.Call) and call_name(call) == "copy" and len(call.args) == 2:
            source, target_node = call.args
            if text(source) not in self.scalars or not isinstance(target_node, ast.Subscript):
                raise Unclear
            places = indices(target_node)
            target_node = _subscript(target_node.value, [*places[:-1], _sum(places[-1], "_row")])
            yield self.store(target_node, name(text(source)), {"_row": self.rows}, {})
        elif isinstance(statement, ast.For) and call_name(statement.iter) == "Parallel":
            yield from self.per_row(statement)
        elif isinstance(statement, ast.For) and call_name(statement.iter) in ("serial", "range", "Pipelined"):
            yield from self.rounds(statement)
        else:
            raise Unclear

    def per_row(self, loop: ast.For) -> Iterator[Step]:
        """`for i in T.Parallel(rows)`: once a row."""
        variables = self.parallel(loop)
        if len(variables) != 1:
            raise Unclear
        statements, lets = opened(loop.body, lambda test: self.is_bound(test, variables, {}))
        for statement in statements:
            target, value = (substituted(node, lets) for node in assigned(statement))
            value = self.value(value, variables, {}, {})
            if isinstance(target, ast.Subscript) and text(target.value) in self.scalars:
                yield Set(text(target.value), value)
            elif isinstance(target, ast.Subscript) and text(target.value) in self.kernel.tensors:
                yield self.store(target, value, variables, {})
            else:
                raise Unclear

    # ------------------------------------------------------------ rounds over tiles

    def rounds(self, loop: ast.For) -> Iterator[Step]:
        call = loop.iter
        if not isinstance(loop.target, ast.Name) or not isinstance(call, ast.Call) or len(call.args) != 1:
            raise Unclear
        length = reach(call.args[0], polynomial(self.columns, self.sizes), self.sizes)
        if length is None:
            raise Unclear
        step = {loop.target.id: call.args[0]}
        axis = Axis(self.element, length)
        found = list(self.round_steps(loop.body, axis, step))
        gathered = {part.name for s in found if isinstance(s, Loop) for part in s.steps if isinstance(part, Set)}
        for loop_step in found:
            for part in loop_step.steps if isinstance(loop_step, Loop) else ():
                own = part.name if isinstance(part, Set) else ""
                if (used_in(part) & gathered) - {own}:
                    raise Unclear  # a round uses what the rounds before it gathered
        yield from found

    def round_steps(self, body: Sequence[ast.stmt], axis: Axis, step: dict[str, ast.expr]) -> Iterator[Step]:
        tiles: dict[str, _Tile] = {}
        partials: dict[str, _Partial] = {}
        for statement in body:
            inner = statement.value if isinstance(statement, ast.Expr) else None
            if isinstance(inner, ast.Call) and call_name(inner) == "copy" and len(inner.args) == 2:
                tiles[text(inner.args[1])] = self.copied(inner, step)
            elif isinstance(inner, ast.Call) and call_name(inner) in _REDUCTIONS:
                yield from self.reduced(inner, axis, step, tiles, partials)
            elif isinstance(statement, ast.For) and call_name(statement.iter) == "Parallel":
                yield from self.per_element(statement, axis, step, tiles, partials)
            else:
                raise Unclear
        if partials:
            raise Unclear

    def copied(self, call: ast.Call, step: dict[str, ast.expr]) -> _Tile:
        source, target = call.args
        buffer = self.kernel.buffers.get(text(target))
        if buffer is None or len(buffer.shape) != 2 or not isinstance(source, ast.Subscript):
            raise Unclear
        places = indices(source)
        if len(places) < 2:
            raise Unclear
        moved = [*places[:-2], _sum(places[-2], "_row"), _sum(places[-1], "_column")]
        return _Tile("_row", "_column", _subscript(source.value, moved))

    def reduced(
        self,
        call: ast.Call,
        axis: Axis,
        step: dict[str, ast.expr],
        tiles: dict[str, _Tile],
        partials: dict[str, _Partial],
    ) -> Iterator[Step]:
        keywords = {k.arg: text(k.value) for k in call.keywords}
        positional = [text(argument) for argument in call.args]
        dimension = keywords.pop("dim", positional[2] if len(positional) > 2 else "-1")
        clear = keywords.pop("clear", "True")
        if keywords or dimension not in ("1", "-1"):
            raise Unclear
        if positional[0] not in tiles or positional[1] not in self.scalars:
            raise Unclear
        tile = tiles[positional[0]]
        variables = {tile.row: self.rows, tile.column: self.columns}
        value = self.value(tile.value, variables, step, tiles)
        operation = _REDUCTIONS[call_name(call)]
        if clear == "False":
            yield Loop((axis,), (self.gathered(positional[1], operation, value),))
        else:
            partials[positional[1]] = _Partial(operation, value)

    def gathered(self, label: str, operation: str, value: ast.expr) -> Set:
        if operation == "sum":
            return Set(label, ast.BinOp(name(label), ast.Add(), value))
        call = parse(f"{self.kernel.language}.{operation}({label}, _value)")
        return Set(label, substituted(call, {"_value": value}))

    def per_element(
        self,
        loop: ast.For,
        axis: Axis,
        step: dict[str, ast.expr],
        tiles: dict[str, _Tile],
        partials: dict[str, _Partial],
    ) -> Iterator[Step]:
        variables = self.parallel(loop)
        statements, lets = opened(loop.body, lambda test: self.is_bound(test, variables, step))
        if len(variables) == 1:
            for statement in statements:
                yield self.added(statement, axis, partials)
            return
        stores: list[Step] = []
        row, column = variables
        for statement in statements:
            target, value = (substituted(node, lets) for node in assigned(statement))
            if isinstance(target, ast.Name):
                lets[target.id] = value
            elif isinstance(target, ast.Subscript) and text(target.value) in self.kernel.tensors:
                stores.append(self.store(target, self.value(value, variables, step, tiles), variables, step))
            elif isinstance(target, ast.Subscript) and [text(i) for i in indices(target)] == [row, column]:
                if text(target.value) not in self.kernel.buffers:
                    raise Unclear
                if text(target.value) in self.arrays:
                    self.gather(target, value, axis, variables, step, tiles)
                    continue
                value = _with_tiles(value, tiles)
                tiles[text(target.value)] = _Tile(row, column, value)
            else:
                raise Unclear
        if stores:
            yield Loop((axis,), tuple(stores))

    def gather(
        self,
        target: ast.Subscript,
        value: ast.expr,
        axis: Axis,
        variables: dict[str, ast.expr],
        step: dict[str, ast.expr],
        tiles: dict[str, _Tile],
    ) -> None:
        """`partial[i, j] = partial[i, j] + e`: every place of the tile gathers its own share of the row."""
        here = replaced(value, lambda part: name("_own") if text(part) == text(target) else None)
        found = accumulation(Set("_own", here))
        if found is None:
            raise Unclear
        placed = self.value(found.value, variables, step, tiles)
        self.arrays[text(target.value)].append((axis, Accumulation("_own", found.operation, placed)))

    def reduced_array(self, call: ast.Call) -> Iterator[Step]:
        keywords = {k.arg: text(k.value) for k in call.keywords}
        positional = [text(argument) for argument in call.args]
        dimension = keywords.pop("dim", positional[2] if len(positional) > 2 else "-1")
        shares = self.arrays.get(positional[0], [])
        if keywords or dimension not in ("1", "-1") or positional[1] not in self.scalars or len(shares) != 1:
            raise Unclear
        (axis, share), label = shares[0], positional[1]
        if share.operation != _REDUCTIONS[call_name(call)]:
            raise Unclear
        T, dtype = self.kernel.language, text(self.scalars[label])
        neutral = {"sum": "0", "max": f"-{T}.infinity({dtype})", "min": f"{T}.infinity({dtype})"}
        yield Set(label, parse(neutral[share.operation]))
        yield Loop((axis,), (self.gathered(label, share.operation, share.value),))

    def added(self, statement: ast.stmt, axis: Axis, partials: dict[str, _Partial]) -> Step:
        """`acc[i] = acc[i] + part[i]`."""
        target, value = assigned(statement)
        if not isinstance(target, ast.Subscript) or text(target.value) not in self.scalars:
            raise Unclear
        label = text(target.value)
        read = [text(n.value) for n in ast.walk(value) if isinstance(n, ast.Subscript)]
        others = [other for other in read if other != label]
        plus = isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add)
        kind = "sum" if plus else call_name(value)
        if len(read) != 2 or len(others) != 1 or others[0] not in partials or partials[others[0]].operation != kind:
            raise Unclear
        return Loop((axis,), (self.gathered(label, kind, partials.pop(others[0]).value),))

    # ------------------------------------------------------------ values and places

    def parallel(self, loop: ast.For) -> dict[str, ast.expr]:
        call, target = loop.iter, loop.target
        targets = target.elts if isinstance(target, ast.Tuple) else [target]
        labels = [n.id for n in targets if isinstance(n, ast.Name)]
        if not isinstance(call, ast.Call) or len(labels) != len(call.args) or call.keywords or len(labels) > 2:
            raise Unclear
        wanted = [self.rows, self.columns][: len(labels)]
        if not all(same(extent, edge, self.sizes) for extent, edge in zip(call.args, wanted)):
            raise Unclear
        return dict(zip(labels, call.args))

    def is_bound(self, test: ast.expr, variables: dict[str, ast.expr], step: dict[str, ast.expr]) -> bool:
        """Whether a condition only asks if a place is inside the rows and columns."""
        for condition in conjuncts(test):
            bound = upper_bound(condition)
            if bound is None:
                return False
            try:
                place = self.value(bound[0], variables, step, {})
            except Unclear:
                return False
            known = {axis.name: axis.extent for axis in self.axes.values()}
            if not isinstance(place, ast.Name) or place.id not in {*known, self.element}:
                return False
            if place.id in known and not same(known[place.id], bound[1], self.sizes):
                return False
        return True

    def store(
        self, target: ast.Subscript, value: ast.expr, variables: dict[str, ast.expr], step: dict[str, ast.expr]
    ) -> Store:
        placed = self.value(target, variables, step, {})
        assert isinstance(placed, ast.Subscript)
        return Store(placed, value)

    def value(
        self,
        node: ast.expr,
        variables: dict[str, ast.expr],
        step: dict[str, ast.expr],
        tiles: dict[str, _Tile],
    ) -> ast.expr:
        """An expression with tiles read through, scalars by their names and places by the axes."""
        node = _with_tiles(node, tiles)
        extents = {**self.blocks, **variables, **step}

        def change(part: ast.expr) -> ast.expr | None:
            chosen = isinstance(part, ast.Call) and call_name(part) == "if_then_else"
            if chosen and isinstance(part, ast.Call) and self.is_bound(part.args[0], variables, step):
                return change(part.args[1]) or replaced(part.args[1], change)
            if isinstance(part, ast.Subscript) and text(part.value) in self.scalars:
                return name(text(part.value))
            if isinstance(part, ast.Subscript) and text(part.value) in self.kernel.buffers:
                raise Unclear
            return self.place(part, extents, set(variables) | set(step))

        placed = replaced(node, change)
        if (set(variables) | set(step)) & names(placed) - set(self.axes):
            raise Unclear
        return placed

    def place(self, part: ast.expr, extents: dict[str, ast.expr], local: set[str]) -> ast.expr | None:
        if not isinstance(part, (ast.BinOp, ast.Name)) or not names(part) & set(extents):
            return None
        ones = {v: parse("0") for v, e in extents.items() if text(e) == "1" and v not in self.blocks}
        poly = polynomial(part, {**self.sizes, **ones}, frozenset(extents))
        found = radix(poly, extents, self.sizes, frozenset(extents))
        if found is None:
            return parse("0") if not poly and names(part) & set(ones) else None
        used, share = found
        blocks = [variable for variable in used if variable in self.blocks]
        if not blocks:
            serial = len(used) == 2 and share == polynomial(self.columns, self.sizes)
            return name(self.element) if serial else None
        if len(used) > 2 or (len(used) == 1 and not names(part) & local and text(self.rows) != "1"):
            return None
        length = reach(self.blocks[blocks[0]], share, self.sizes)
        if length is None:
            return None
        label = blocks[0] if len(used) == 1 else self.row_name
        key = blocks[0]
        axis = self.axes.setdefault(key, Axis(label, length, key))
        if axis.name != label:
            raise Unclear
        return name(label)


def _subscript(base: ast.expr, places: Sequence[ast.expr]) -> ast.Subscript:
    index = places[0] if len(places) == 1 else ast.Tuple(list(places), ast.Load())
    return ast.Subscript(base, index, ast.Load())


def _sum(place: ast.expr, variable: str) -> ast.expr:
    zero = isinstance(place, ast.Constant) and place.value == 0
    return name(variable) if zero else ast.BinOp(place, ast.Add(), name(variable))


def _with_tiles(node: ast.expr, tiles: dict[str, _Tile]) -> ast.expr:
    def change(part: ast.expr) -> ast.expr | None:
        if not isinstance(part, ast.Subscript) or text(part.value) not in tiles:
            return None
        tile = tiles[text(part.value)]
        row, column = indices(part)
        return _renamed(tile.value, {tile.row: row, tile.column: column})

    return replaced(node, change)


def _renamed(node: ast.expr, values: dict[str, ast.expr]) -> ast.expr:
    return replaced(node, lambda part: values.get(part.id) if isinstance(part, ast.Name) else None)
