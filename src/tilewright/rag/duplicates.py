"""Is a kernel an answer to the very problem that is being worked on?

The same problem under its number, at another size or as an optimised offspring, and any problem whose reference is
the same program up to names, sizes and constants. What is not seen: the same function written in other operations.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from tilewright.records import Problem
from tilewright.records.tasks import content_id
from tilewright.source.imported import Imports

_STRUCTURE = (-1, 0, 1)
"""Numbers that say which axis is meant, or that a size is one; all others are sizes and coefficients."""


@dataclass(frozen=True)
class Identity:
    """What a problem is known by: its number and its reference, where it has them."""

    number: tuple[int, int] | None
    program: str | None

    def is_same(self, other: Identity) -> bool:
        """Whether a kernel for one answers the other."""
        by_number = self.number is not None and self.number == other.number
        return by_number or (self.program is not None and self.program == other.program)


def identity(problem: Problem) -> Identity:
    level, number = problem.level, problem.problem_id
    numbers = (level, number) if level is not None and number is not None else None
    return Identity(numbers, fingerprint(problem.source, problem.entry_point))


def fingerprint(source: str, entry_point: str = "Model") -> str | None:
    """The identity of a reference without its names, sizes, constants, types and comments; None for no Python.

    Of a module's functions only the shapes of `get_inputs` count beside the class or function itself.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return None
    imports = Imports(tree)
    defined = [node for node in tree.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))]
    if entry_point not in [node.name for node in defined]:
        return None
    kept = [node for node in defined if node.name not in ("get_inputs", "get_init_inputs")]
    parts = [ast.dump(_Plain(imports).visit(node)) for node in kept]
    return content_id(sorted(parts), _input_ranks(tree))


class _Plain(ast.NodeTransformer):
    """Names by the order in which they first occur, PyTorch's operations by their own names alone."""

    def __init__(self, imports: Imports) -> None:
        self._imports = imports
        self._names: dict[str, str] = {}

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        body = [statement for statement in _undocumented(node.body) if not _empty_constructor(statement)]
        return ast.ClassDef(name="C", bases=[], keywords=[], body=[self.visit(s) for s in body], decorator_list=[])

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        if node.name not in ("forward", "__init__"):
            node.name = self._renamed(node.name)
        node.body = _undocumented(node.body) or [ast.Pass()]
        node.returns, node.decorator_list = None, []
        self.generic_visit(node)
        return node

    def visit_arguments(self, node: ast.arguments) -> ast.AST:
        names = [a.arg for a in (*node.posonlyargs, *node.args, *node.kwonlyargs)]
        return ast.List([ast.Constant(self._renamed(name)) for name in names], ast.Load())

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        return self.generic_visit(ast.Assign([node.target], node.value or ast.Constant(None)))

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """`x.abs()`, `torch.abs(x)` and `F.abs(x)` are one call."""
        name = self._imports.canonical(node.func)
        if name.startswith("torch."):
            function, first = name.rpartition(".")[2], []
        elif isinstance(node.func, ast.Attribute) and not _of_self(node.func) and not name:
            function, first = node.func.attr, [node.func.value]
        else:
            return self.generic_visit(node)
        return self._call(function, [*first, *node.args], node.keywords)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        if isinstance(node.op, ast.MatMult):
            return self._call("matmul", [node.left, node.right], [])
        return self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if _of_self(node):
            return ast.Name(self._renamed(f"self.{node.attr}"), ast.Load())
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(self._imports.canonical(node) or self._renamed(node.id), ast.Load())

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        is_number = isinstance(node.value, (int, float)) and not isinstance(node.value, bool)
        return ast.Constant("number" if is_number and node.value not in _STRUCTURE else node.value)

    def _call(self, function: str, arguments: list[ast.expr], keywords: list[ast.keyword]) -> ast.AST:
        named = sorted(keywords, key=lambda keyword: keyword.arg or "")
        return ast.Call(
            func=ast.Constant(function),
            args=[self.visit(argument) for argument in arguments],
            keywords=[ast.keyword(keyword.arg, self.visit(keyword.value)) for keyword in named],
        )

    def _renamed(self, name: str) -> str:
        return self._names.setdefault(name, f"v{len(self._names)}")


def _undocumented(body: list[ast.stmt]) -> list[ast.stmt]:
    return [s for s in body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]


def _empty_constructor(node: ast.stmt) -> bool:
    """`def __init__(self): super().__init__()`, which says nothing."""
    if not isinstance(node, ast.FunctionDef) or node.name != "__init__":
        return False
    return all(isinstance(s, (ast.Pass, ast.Expr)) for s in node.body)


def _of_self(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == "self"


def _input_ranks(tree: ast.Module) -> list[str]:
    """For each call in `get_inputs` that makes something its arguments, of which only literal ones are told apart."""
    function = next((n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "get_inputs"), None)
    if function is None:
        return []
    return [
        " ".join(str(a.value) if isinstance(a, ast.Constant) and a.value in _STRUCTURE else "size" for a in node.args)
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
    ]
