"""What does a module's `forward` do on every call, and how is something kept from one call to the next?"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from tilewright.proposers.rewrites.reading.expressions import call_name
from tilewright.source.splice import Edit, Positions


@dataclass(frozen=True)
class Network:
    """A class with an `__init__` and a `forward` of its own."""

    node: ast.ClassDef
    init: ast.FunctionDef
    forward: ast.FunctionDef

    def free_attribute(self, wish: str) -> str:
        """A name that no attribute in the class has."""
        taken = {part.attr for part in ast.walk(self.node) if isinstance(part, ast.Attribute)}
        taken |= {part.name for part in ast.walk(self.node) if isinstance(part, ast.FunctionDef)}
        return next(w for w in (wish, *(f"{wish}_{n}" for n in range(2, 99))) if w not in taken)

    def free_local(self, wish: str) -> str:
        """A name that `forward` does not use."""
        taken = {part.id for part in ast.walk(self.forward) if isinstance(part, ast.Name)}
        taken |= {part.arg for part in ast.walk(self.forward) if isinstance(part, ast.arg)}
        return next(w for w in (wish, *(f"{wish}_{n}" for n in range(2, 99))) if w not in taken)


def find_networks(tree: ast.Module) -> Iterator[Network]:
    for node in tree.body:
        if not isinstance(node, ast.ClassDef):
            continue
        methods = {part.name: part for part in node.body if isinstance(part, ast.FunctionDef)}
        if "__init__" in methods and "forward" in methods:
            yield Network(node, methods["__init__"], methods["forward"])


def every_call(forward: ast.FunctionDef) -> Iterator[ast.stmt]:
    """The plain statements that run on every call of forward.

    What stands under an `if`, in a `try` or in a loop is left out.
    """
    for statement in forward.body:
        if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return, ast.Expr)):
            yield statement
        elif isinstance(statement, ast.With):
            yield from (inner for inner in statement.body if isinstance(inner, (ast.Assign, ast.Return)))


def at_end_of_init(network: Network, positions: Positions, lines: list[str]) -> Edit:
    """The edit that adds statements to `__init__`."""
    last = network.init.body[-1]
    place = positions.line_end(last.end_lineno or last.lineno)
    ends = positions.data[:place].endswith((b"\n", b"\r"))
    before = "" if ends else positions.newline
    indent = positions.indent(network.init.body[0].lineno)
    return Edit(place, place, before + "".join(f"{indent}{line}{positions.newline}" for line in lines))


def after_init(network: Network, positions: Positions, lines: list[str]) -> Edit:
    """The edit that adds a method behind `__init__`; its lines begin at the method's own indentation."""
    last = network.init.body[-1]
    place = positions.line_end(last.end_lineno or last.lineno)
    indent = positions.indent(network.init.lineno)
    written = "".join(f"{indent}{line}{positions.newline}" if line else positions.newline for line in ["", *lines])
    return Edit(place, place, written)


def builders(tree: ast.Module) -> set[str]:
    """The functions of a file that make a kernel on every call: jitted factories, those that compile, and those that
    call one of them."""
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    found = {function.name for function in functions if _builds(function)}
    while True:
        more = {f.name for f in functions if not _remembers(f) and any(call_name(n) in found for n in ast.walk(f))}
        if more <= found:
            return found
        found |= more


def _builds(function: ast.FunctionDef) -> bool:
    compiles = any(
        call_name(part) == "compile" and isinstance(part, ast.Call) and "tilelang" in ast.unparse(part.func)
        for part in ast.walk(function)
    )
    inner = any(isinstance(part, ast.FunctionDef) and part is not function for part in ast.walk(function))
    return not _remembers(function) and (("jit" in _decorators(function) and inner) or compiles)


def _remembers(function: ast.FunctionDef) -> bool:
    return bool(_decorators(function) & {"lru_cache", "cache"})


def _decorators(function: ast.FunctionDef) -> set[str]:
    decorators = [d.func if isinstance(d, ast.Call) else d for d in function.decorator_list]
    return {d.attr if isinstance(d, ast.Attribute) else getattr(d, "id", "") for d in decorators}
