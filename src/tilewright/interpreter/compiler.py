"""How does a TIR node become a Python function over all lanes?

Each node type, operator and tile operation has one compile function in a table; the modules beside this one
fill the tables. Compiling happens once for a launch, running once for each chunk of thread blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from tilewright.interpreter import tir
from tilewright.interpreter.frame import Frame
from tilewright.interpreter.report import Unsupported
from tilewright.interpreter.values import Value

Code = Callable[[Frame], Value]
Action = Callable[[Frame], None]
Write = Callable[[Frame, Value], None]


@dataclass(frozen=True)
class Axis:
    """A lane axis that a variable counts along."""

    position: int
    extent: int


@dataclass
class Program:
    """What the compile functions of one launch share."""

    threads: tuple[int, int, int]
    thread_vars: Mapping[tir.Var, int] = field(default_factory=dict)
    reducers: Mapping[tir.Var, str] = field(default_factory=dict)
    safe_values: Mapping[tir.Var, float] = field(default_factory=dict)
    slots: dict[tir.Var, int] = field(default_factory=dict)
    dtypes: dict[int, str] = field(default_factory=dict)  # of each memory, by slot: a view may give it another
    definitions: dict[tir.Var, tir.Expr] = field(default_factory=dict)
    fixed: set[tir.Var] = field(default_factory=set)  # what stays the same while a chunk of blocks runs

    def slot(self, var: tir.Var) -> int:
        """A small number for a variable, by which the frame finds it (hashing TVM objects is slow)."""
        return self.slots.setdefault(var, len(self.slots))

    @property
    def thread_count(self) -> int:
        x, y, z = self.threads
        return x * y * z


@dataclass(frozen=True)
class Scope:
    """Where a node stands: how many lane axes there are, and which variables count along one."""

    program: Program
    rank: int
    axes: Mapping[tir.Var, Axis]

    def inside(self, var: tir.Var, extent: int) -> Scope:
        """One lane axis more, counted by `var`."""
        return replace(self, rank=self.rank + 1, axes={**self.axes, var: Axis(self.rank, extent)})

    def deeper(self) -> Scope:
        """One lane axis more, counted by a variable that the frame holds."""
        return replace(self, rank=self.rank + 1)


ExpressionCompiler = Callable[[Any, Scope], Code]
StatementCompiler = Callable[[Any, Scope], Action]
EXPRESSIONS: dict[str, ExpressionCompiler] = {}  # by node type
CALLS: dict[str, ExpressionCompiler] = {}  # by operator name, for its value
STATEMENTS: dict[str, StatementCompiler] = {}  # by node type
EFFECTS: dict[str, StatementCompiler] = {}  # by operator name, for what it does

_F = TypeVar("_F", bound=Callable[..., Any])


def compiles(table: dict[str, Any], *names: str) -> Callable[[_F], _F]:
    """Decorator: this function compiles the nodes of those names."""

    def register(function: _F) -> _F:
        for name in names:
            table[name] = function
        return function

    return register


def compile_expression(expr: tir.Expr, scope: Scope) -> Code:
    kind = type(expr).__name__
    if kind not in EXPRESSIONS:
        raise Unsupported(f"expression {kind}")
    return EXPRESSIONS[kind](expr, scope)


def compile_condition(expr: tir.Expr, scope: Scope) -> Code:
    """As C has it: a number is true where it is not 0."""
    code = compile_expression(expr, scope)
    if str(expr.dtype) == "bool":
        return code
    return lambda frame: code(frame) != 0


def compile_statement(stmt: tir.Stmt, scope: Scope) -> Action:
    kind = type(stmt).__name__
    if kind not in STATEMENTS:
        raise Unsupported(f"statement {kind}")
    return STATEMENTS[kind](stmt, scope)


def located(stmt: tir.Stmt, action: Action) -> Action:
    """Tells the frame which source line runs."""
    line = tir.line_of(stmt)
    if line is None:
        return action

    def run(frame: Frame) -> None:
        frame.line = line
        action(frame)

    return run
