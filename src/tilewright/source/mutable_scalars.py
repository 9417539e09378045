"""Which scalars of a TileLang kernel are set again across a loop or branch, and how to make them variables.

TileLang 0.1.15 binds a Python name in a kernel once for each region (the body of a loop, a branch, a `with`).
`acc = acc + x` in a loop makes a new name that ends with the loop: reading it afterwards fails with "Immutable
variable used outside its defining region", and a constant set in a branch is taken always, without an error. A
name that starts as `T.alloc_var(dtype, init=...)` is stored to instead, and the rest of the code stays as it is.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tilewright.source.literals import Function
from tilewright.source.scalar_types import Types, called_name


@dataclass(frozen=True)
class Variable:
    """A name to declare as `T.alloc_var(dtype, ...)`.

    `value` is the expression of its first assignment, to be wrapped where it stands; None where there is none that
    every later use follows: then a declaration goes in front of `before`, with `init` as its start if that is set.
    """

    name: str
    dtype: str
    line: int
    value: ast.expr | None
    annotation: ast.AnnAssign | None = None
    before: ast.stmt | None = None
    init: str = ""


def find_variables(function: Function, types: Types) -> list[Variable]:
    """The names of a prim_func that need to be variables and whose type the source tells, in source order."""
    flow = _Flow(function)
    flow.run()
    found = [variable for web in flow.webs() if (variable := _variable(web, types)) is not None]
    return sorted(found, key=lambda variable: variable.line)


@dataclass(frozen=True, eq=False)
class _Region:
    """A part of a kernel in which a binding lives; `path` leads to it from the function's body."""

    node: ast.AST
    parent: _Region | None
    statement: ast.stmt | None
    """The statement of the parent region that holds this one."""

    def within(self, other: _Region) -> bool:
        region: _Region | None = self
        while region is not None and region is not other:
            region = region.parent
        return region is other

    def statement_in(self, ancestor: _Region, own: ast.stmt) -> ast.stmt:
        """The statement of `ancestor`'s own block that holds `own`, a statement of this region."""
        if self is ancestor or self.parent is None or self.statement is None:
            return own
        return self.parent.statement_in(ancestor, self.statement)


@dataclass(frozen=True, eq=False)
class _Binding:
    name: str
    kind: Literal["set", "augmented", "given"]
    """"given": a parameter, a loop's own name, or anything else that can't be wrapped."""
    region: _Region
    statement: ast.stmt
    value: ast.expr | None

    @property
    def position(self) -> tuple[int, int]:
        return self.statement.lineno, self.statement.col_offset


@dataclass(frozen=True)
class _Reach:
    binding: _Binding
    carried: bool = False
    """It comes from an earlier turn of a loop."""


_State = dict[str, frozenset[_Reach]]


@dataclass
class _Web:
    """Bindings of one name that reach the same reads."""

    bindings: list[_Binding]
    reads: list[_Region] = field(default_factory=list)
    needed: bool = False


class _Flow:
    """Which bindings reach which reads, by running over the statements in Python's order, loops twice."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self._regions: dict[tuple[int, int], _Region] = {}
        self._bindings: dict[tuple[int, str], _Binding] = {}
        self._reads: list[tuple[frozenset[_Reach], _Region]] = []
        self._in_kernel: set[str] = set()

    def run(self) -> None:
        root = _Region(self.function, None, None)
        arguments = self.function.args
        state: _State = {}
        for argument in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]:
            self._bind(state, argument.arg, "given", root, self.function, None)
        self._block(self.function.body, root, state)

    def webs(self) -> list[_Web]:
        groups: dict[int, _Web] = {id(b): _Web([b]) for b in self._bindings.values()}
        for reach, region in self._reads:
            webs = list({id(w): w for w in (groups[id(r.binding)] for r in reach)}.values())
            if not webs:
                continue
            whole = webs[0]
            for other in webs[1:]:
                whole.bindings += other.bindings
                whole.reads += other.reads
                whole.needed |= other.needed
                groups.update({id(binding): whole for binding in other.bindings})
            whole.reads.append(region)
            whole.needed |= any(r.carried or not region.within(r.binding.region) for r in reach)
        return list({id(web): web for web in groups.values()}.values())

    def _block(self, statements: Sequence[ast.stmt], region: _Region, state: _State) -> None:
        for statement in statements:
            self._statement(statement, region, state)

    def _statement(self, node: ast.stmt, region: _Region, state: _State) -> None:
        if isinstance(node, ast.Assign):
            self._read(node.value, region, state)
            for target in node.targets:
                self._assign(target, node.value if len(node.targets) == 1 else None, node, region, state)
        elif isinstance(node, ast.AnnAssign):
            if node.value is not None:
                self._read(node.value, region, state)
                self._assign(node.target, node.value, node, region, state)
        elif isinstance(node, ast.AugAssign):
            self._read(node.value, region, state)
            self._read(node.target, region, state)
            if isinstance(node.target, ast.Name):
                self._bind(state, node.target.id, "augmented", region, node, node.value)
        elif isinstance(node, (ast.For, ast.While)):
            self._loop(node, region, state)
        elif isinstance(node, ast.If):
            self._branch(node, region, state)
        elif isinstance(node, ast.With):
            for item in node.items:
                self._read(item.context_expr, region, state)
            inner = self._region(node, 0, region, node)
            for item in node.items:
                if item.optional_vars is not None:
                    self._assign(item.optional_vars, None, node, inner, state)
            self._block(node.body, inner, state)
        else:
            self._read(node, region, state)

    def _loop(self, node: ast.For | ast.While, region: _Region, state: _State) -> None:
        unrolled = isinstance(node, ast.For) and _runs_while_tracing(node.iter)
        inner = region if unrolled else self._region(node, 0, region, node)
        if isinstance(node, ast.For):
            self._read(node.iter, region, state)
        before = dict(state)
        for _ in range(2):
            if isinstance(node, ast.While):
                self._read(node.test, inner, state)
            else:
                self._assign(node.target, None, node, inner, state)
            self._block(node.body, inner, state)
            state.update(_joined(before, state if unrolled else _carried(before, state)))
        self._block(node.orelse, region, state)

    def _branch(self, node: ast.If, region: _Region, state: _State) -> None:
        self._read(node.test, region, state)
        decided = not any(self._is_known_on_the_gpu(part) for part in ast.walk(node.test))
        otherwise = dict(state)
        self._block(node.body, region if decided else self._region(node, 0, region, node), state)
        self._block(node.orelse, region if decided else self._region(node, 1, region, node), otherwise)
        state.update(_joined(state, otherwise))

    def _is_known_on_the_gpu(self, node: ast.AST) -> bool:
        """A condition without such parts is decided while the kernel is traced, and makes no branch."""
        if isinstance(node, ast.Name):
            return node.id in self._in_kernel
        return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)

    def _assign(
        self, target: ast.expr, value: ast.expr | None, node: ast.stmt, region: _Region, state: _State
    ) -> None:
        if isinstance(target, ast.Name):
            self._bind(state, target.id, "set" if value is not None else "given", region, node, value)
        elif isinstance(target, (ast.Tuple, ast.List)):
            values = value.elts if isinstance(value, (ast.Tuple, ast.List)) else []
            for index, part in enumerate(target.elts):
                self._assign(part, values[index] if len(values) == len(target.elts) else None, node, region, state)
        else:
            self._read(target, region, state)

    def _bind(
        self,
        state: _State,
        name: str,
        kind: Literal["set", "augmented", "given"],
        region: _Region,
        statement: ast.stmt,
        value: ast.expr | None,
    ) -> None:
        if any(_is_variable(r.binding.value) and region.within(r.binding.region) for r in state.get(name, ())):
            return  # a store to a variable that is alive, not a new binding
        key = (id(statement), name)
        if key not in self._bindings:
            self._bindings[key] = _Binding(name, kind, region, statement, value)
        self._in_kernel.add(name)
        state[name] = frozenset({_Reach(self._bindings[key])})

    def _read(self, node: ast.AST, region: _Region, state: _State) -> None:
        for name in ast.walk(node):
            if isinstance(name, ast.Name) and name.id in state:
                self._reads.append((state[name.id], region))

    def _region(self, node: ast.stmt, part: int, parent: _Region, statement: ast.stmt) -> _Region:
        return self._regions.setdefault((id(node), part), _Region(node, parent, statement))


def _joined(a: Mapping[str, frozenset[_Reach]], b: Mapping[str, frozenset[_Reach]]) -> _State:
    return {name: a.get(name, frozenset()) | b.get(name, frozenset()) for name in {*a, *b}}


def _carried(before: _State, after: _State) -> _State:
    """What a loop's body bound, as the next turn sees it."""
    result: _State = {}
    for name, reaches in after.items():
        old = before.get(name, frozenset())
        result[name] = frozenset(r if r in old else _Reach(r.binding, carried=True) for r in reaches)
    return result


def _runs_while_tracing(iterable: ast.expr) -> bool:
    """`for x in (1, 2)`: Python's own loop, run while the kernel is traced. `range` is one of TileLang's."""
    if isinstance(iterable, ast.Call):
        return isinstance(iterable.func, ast.Name) and iterable.func.id in ("enumerate", "zip", "reversed", "sorted")
    return isinstance(iterable, (ast.Tuple, ast.List, ast.Constant))


# ---------------------------------------------------------------- from a web to a declaration


def _variable(web: _Web, types: Types) -> Variable | None:
    if not web.needed or any(_is_allocation(binding.value) for binding in web.bindings):
        return None
    bindings = sorted(web.bindings, key=lambda binding: binding.position)
    first = bindings[0]
    dtype = types.of_variable(first.name, [b.value for b in bindings if b.value is not None], first.value)
    if dtype is None or any(binding.kind == "given" for binding in bindings):
        return None
    regions = [*(binding.region for binding in bindings), *web.reads]
    line = first.statement.lineno
    if first.region.parent is None:
        # Memory is allocated inside T.Kernel, so a start value from outside is read there.
        launch = next((b.region for b in bindings[1:] if b.region.parent is not None), None)
        while launch is not None and launch.parent is not first.region:
            launch = launch.parent
        if launch is None or not isinstance(launch.node, ast.With) or first.kind != "set":
            return None
        return Variable(first.name, dtype, line, None, before=launch.node.body[0], init=first.name)
    if first.kind == "set" and all(region.within(first.region) for region in regions):
        annotation = first.statement if isinstance(first.statement, ast.AnnAssign) else None
        return Variable(first.name, dtype, line, first.value, annotation)
    shared = first.region
    while not all(region.within(shared) for region in regions) and shared.parent is not None:
        shared = shared.parent
    before = first.region.statement_in(shared, first.statement)
    while shared.parent is not None and _is_elif(before, shared):
        before = shared.statement_in(shared.parent, before)
        shared = shared.parent
    return Variable(first.name, dtype, line, None, before=before) if shared.parent is not None else None


def _is_allocation(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Call) and called_name(value).startswith("alloc_")


def _is_variable(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Call) and called_name(value) == "alloc_var"


def _is_elif(statement: ast.stmt, region: _Region) -> bool:
    """An `elif` is an `if` in an `else` that has no line of its own to put anything in front of."""
    return (
        isinstance(statement, ast.If)
        and isinstance(region.node, ast.If)
        and region.node.orelse == [statement]
        and statement.col_offset == region.node.col_offset
    )
