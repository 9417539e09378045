"""What does a mutation need to know of a kernel's source: its bodies, their indices, their values?"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tilewright.source.imported import Imports
from tilewright.source.literals import Function, own_nodes
from tilewright.source.splice import Edit, Positions

_LANGUAGE = "tilelang.language."
_NEEDED = {"atomic_add": 2, "ceildiv": 2, "copy": 2, "fill": 2, "gemm": 3, "if_then_else": 3}
_ATOMS = (ast.Name, ast.Subscript, ast.Call, ast.Constant, ast.Attribute)


@dataclass(frozen=True)
class Change:
    """One bug to put in: what it does in words, where, and the edits that do it."""

    description: str
    line: int
    edits: tuple[Edit, ...]


class Source:
    """A parsed kernel file, with the edits that mutations are made of."""

    def __init__(self, text: str) -> None:
        self.tree = ast.parse(text)
        self.positions = Positions(text)
        self._imports = Imports(self.tree)
        functions = [
            node for node in ast.walk(self.tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        ]
        self.bodies = [Body(self, function) for function in functions if self._launches(function)]

    def called(self, node: ast.AST) -> str:
        """`copy` for a call of `T.copy`; "" for what calls nothing of TileLang's language."""
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            return ""
        name = self._imports.canonical(node.func)
        return name.removeprefix(_LANGUAGE) if name.startswith(_LANGUAGE) else ""

    def text(self, node: ast.expr | ast.stmt | ast.keyword) -> str:
        return self.positions.text(node)

    def line(self, node: ast.expr | ast.stmt | ast.keyword) -> str:
        """A node's text on one line, for descriptions."""
        return " ".join(self.text(node).split())

    def operand(self, node: ast.expr) -> str:
        """A node's text, in parentheses where it could fall apart in its new place."""
        return self.text(node) if isinstance(node, _ATOMS) else f"({self.text(node)})"

    def replaced(self, node: ast.expr | ast.stmt | ast.keyword, text: str, description: str = "") -> Change:
        """`text` in the place of a node; described by both where nothing else is said."""
        edit = Edit(*self.positions.span(node), text)
        return Change(description or f"{self.line(node)} becomes {text}", node.lineno, (edit,))

    def without(self, statement: ast.stmt) -> Change:
        return self.replaced(statement, "pass", f"{self.line(statement)} is left out")

    def between(self, left: ast.expr, right: ast.expr, old: str, new: str) -> Edit | None:
        """The operator `old` between two operands becomes `new`; None where a comment hides which one it is."""
        start, end = self.positions.span(left)[1], self.positions.span(right)[0]
        text = self.positions.data[start:end].decode()
        return Edit(start, end, text.replace(old, new)) if text.count(old) == 1 else None

    def swapped(self, first: ast.expr, second: ast.expr) -> Change | None:
        """Two expressions change places; None where they are the same."""
        a, b = self.text(first), self.text(second)
        if a == b:
            return None
        edits = (Edit(*self.positions.span(first), b), Edit(*self.positions.span(second), a))
        return Change(f"{a} and {b} change places", first.lineno, edits)

    def renamed(self, call: ast.Call, name: str) -> Change:
        """`T.exp(x)` -> `T.name(x)`"""
        assert isinstance(call.func, ast.Attribute)
        return self.replaced(call.func, f"{self.text(call.func.value)}.{name}")

    def with_argument(self, call: ast.Call, argument: str) -> Change:
        end = self.positions.span(call)[1] - 1
        last = [*call.args, *(keyword.value for keyword in call.keywords)][-1]
        comma = "" if b"," in self.positions.data[self.positions.span(last)[1] : end] else ", "
        return Change(f"{self.text(call.func)} gets {argument}", call.lineno, (Edit(end, end, comma + argument),))

    def _launches(self, function: Function) -> bool:
        return any(self.called(node) == "Kernel" for node in own_nodes(function))


class Body:
    """A function that holds a launch (`with T.Kernel`), and the roles of its names."""

    def __init__(self, source: Source, function: Function) -> None:
        self.source = source
        self.function = function
        self.nodes = sorted(
            (node for node in own_nodes(function) if hasattr(node, "lineno")),
            key=lambda node: (node.lineno, node.col_offset),  # type: ignore[attr-defined]
        )
        called = {node: source.called(node) for node in self.nodes if isinstance(node, ast.Call)}
        self._called = {call: name for call, name in called.items() if len(call.args) >= _NEEDED.get(name, 1)}
        self.tensors = {argument.arg for argument in function.args.args}
        self.blocks = [name for node in self.nodes if isinstance(node, ast.With) for name in self._block_names(node)]
        self.loops = {name for node in self.nodes if isinstance(node, ast.For) for name in names_in(node.target)}
        self.places = {*self.blocks, *self.loops}
        """The names that say where a thread works: of blocks, threads and loops, and what is computed from them."""
        for node in self.nodes:
            if isinstance(node, ast.Assign) and isinstance(target := node.targets[0], ast.Name):
                is_thread = source.called(node.value) == "get_thread_binding"
                self.places |= {target.id} if is_thread or self.is_place(node.value) else set()

    def calls(self, *names: str) -> Iterator[ast.Call]:
        """Calls of TileLang's functions of these names, in their order, with what they need given by position."""
        return (call for call, name in self._called.items() if name in names)

    def statements(self, *names: str) -> Iterator[tuple[ast.Expr, ast.Call]]:
        """Statements that are nothing but such a call."""
        alone = {node.value: node for node in self.nodes if isinstance(node, ast.Expr)}
        return ((alone[call], call) for call in self.calls(*names) if call in alone)

    def fors(self, *kinds: str) -> Iterator[tuple[ast.For, ast.Call]]:
        """Loops over `range` or over TileLang's `serial`, `Pipelined`, ..."""
        for node in self.nodes:
            if isinstance(node, ast.For) and isinstance(node.iter, ast.Call):
                plain = node.iter.func.id if isinstance(node.iter.func, ast.Name) else ""
                if (self.source.called(node.iter) or plain) in kinds:
                    yield node, node.iter

    def assignments(self) -> Iterator[tuple[ast.Assign | ast.AugAssign, ast.expr]]:
        """Assignments to one target, with it."""
        for node in self.nodes:
            if isinstance(node, (ast.Assign, ast.AugAssign)):
                yield node, node.targets[0] if isinstance(node, ast.Assign) else node.target

    def values(self) -> Iterator[ast.expr]:
        """The expressions of what is computed, not of where: outermost first, left to right."""
        for statement, target in self.assignments():
            named = isinstance(target, ast.Name) and (target.id in self.places or self._allocates(statement.value))
            starts = isinstance(statement, ast.Assign) and is_number(statement.value)
            if not named and not starts:
                yield from self._inside(statement.value)
        for call in self.calls("atomic_add"):
            yield from self._inside(call.args[1])

    def subscripts(self) -> Iterator[ast.Subscript]:
        return (node for node in self.nodes if isinstance(node, ast.Subscript))

    def conditions(self) -> list[ast.expr]:
        """What is asked by `if` and, after those, by `T.if_then_else`."""
        asked = [node.test for node in self.nodes if isinstance(node, ast.If)]
        return [*asked, *(call.args[0] for call in self.calls("if_then_else"))]

    def offsets(self) -> Iterator[ast.BinOp]:
        """`by * block_M`, `k * block_K`, `tx * per_thread`: the name of a place times something.

        Not those in conditions: where the tensor's size is a multiple of the tile's, nothing follows from them.
        """
        asked = {inner for condition in self.conditions() for inner in ast.walk(condition)}
        for node in self.nodes:
            if node in asked:
                continue
            product = node if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult) else None
            if product and isinstance(product.left, ast.Name) and product.left.id in self.places:
                yield product

    def is_place(self, node: ast.expr) -> bool:
        """Whether an expression is computed from where a thread works, what is read from memory aside."""
        return any(isinstance(inner, ast.Name) and inner.id in self.places for inner in _outside_subscripts(node))

    def _inside(self, node: ast.expr) -> Iterator[ast.expr]:
        yield node
        if isinstance(node, ast.Subscript):
            return
        chooses = isinstance(node, ast.Call) and self._called.get(node) == "if_then_else"
        for child in list(ast.iter_child_nodes(node))[
            2 if chooses else 0 :
        ]:  # but for the function and the condition
            if isinstance(child, ast.expr):
                yield from self._inside(child)

    def _allocates(self, node: ast.expr) -> bool:
        return self.source.called(node).startswith("alloc_")

    def _block_names(self, node: ast.With) -> list[str]:
        bound = [i.optional_vars for i in node.items if self.source.called(i.context_expr) == "Kernel"]
        return [name for target in bound if target is not None for name in names_in(target)]


def names_in(node: ast.expr) -> list[str]:
    return [inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)]


def base_name(node: ast.expr) -> str:
    """`C` for `C`, `C[i, j]` and `C[i][j]`."""
    while isinstance(node, ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def indices(node: ast.Subscript) -> Sequence[ast.expr]:
    return node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]


def is_number(node: ast.expr) -> bool:
    """A literal number, with or without a sign."""
    node = node.operand if isinstance(node, ast.UnaryOp) else node
    return (
        isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool)
    )


def _outside_subscripts(node: ast.expr) -> Iterator[ast.AST]:
    yield node
    if not isinstance(node, ast.Subscript):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                yield from _outside_subscripts(child)
