"""Kernels written for older TileLang, brought up to the installed version."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tilewright.errors import KernelFileError
from tilewright.source.api_renames import rename_edits
from tilewright.source.imported import Imports
from tilewright.source.literals import Function, Module
from tilewright.source.mutable_scalars import Variable, find_variables
from tilewright.source.scalar_types import Types
from tilewright.source.splice import Edit, Positions, splice


@dataclass(frozen=True)
class Change:
    """One thing that was brought up to date; `line` is in the source as it was."""

    line: int
    what: str


@dataclass(frozen=True)
class Migration:
    source: str
    changes: tuple[Change, ...]


def migrate(source: str) -> Migration:
    """The source as tilelang 0.1.15 takes it; all that needn't change stays as it is, to the byte.

    Kernels compiled by a decorator directly over `@T.prim_func`, scalars set again across loops and branches, and
    names that are gone. What the source doesn't tell (the type of a scalar, say) is left for its author. A second
    migration changes nothing. KernelFileError for a source that is no Python.
    """
    changes: list[Change] = []
    for _ in range(_PASSES):
        edits, found = _pass(source)
        if not found:
            break
        source = splice(source, edits)
        changes += found
    return Migration(source, tuple(sorted(changes, key=lambda change: change.line)))


def diff(old: str, new: str, path: str) -> str:
    """A unified diff, as `diff -u` writes it; empty where nothing changed."""
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), fromfile=path, tofile=f"{path} (migrated)"
    )
    return "".join(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines)


# One is enough but for what hides behind another change: a keyword that is gone, of a call that is renamed.
_PASSES = 4


def _pass(source: str) -> tuple[list[Edit], list[Change]]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        where = f"line {error.lineno}: " if isinstance(error, SyntaxError) else ""
        raise KernelFileError(f"{where}this is no Python: {error.args[0] if error.args else error}") from error
    positions = Positions(source)
    imports = Imports(tree)
    edits: list[Edit] = []
    changes: list[Change] = []
    for renamed, line, what in rename_edits(tree, positions, imports):
        edits += renamed
        changes.append(Change(line, what))
    compiled = list(_compiled_kernels(tree, positions, imports, edits))
    for made, change in (*compiled, *_variables(tree, positions)):
        edits += made
        changes.append(change)
    return _outermost(edits), changes


def _outermost(edits: Sequence[Edit]) -> list[Edit]:
    """Without the edits inside text that another one replaces, which has them already."""
    return [
        edit
        for edit in edits
        if not any(
            other is not edit
            and other.start < other.end
            and other.start <= edit.start <= edit.end <= other.end
            and (other.start, other.end) != (edit.start, edit.end)
            and not (edit.start == edit.end and edit.start in (other.start, other.end))
            for other in edits
        )
    ]


# ---------------------------------------------------------------- @tilelang.jit over @T.prim_func


def _compiled_kernels(
    tree: ast.Module, positions: Positions, imports: Imports, renames: Sequence[Edit]
) -> Iterator[tuple[list[Edit], Change]]:
    needs_import = False
    for function in prim_funcs(tree):
        decorators = function.decorator_list
        compiled_by = next((i for i, d in enumerate(decorators) if _is_jit(d, imports)), None)
        prim_func_at = next(i for i, d in enumerate(decorators) if is_prim_func(d))
        if compiled_by is None or compiled_by > prim_func_at:
            continue
        jit = decorators[compiled_by]
        compiler = _compiler(jit, positions, imports)
        needs_import |= compiler == "tilelang.compile" and not imports.binds("tilelang")
        call = f"{compiler}({_arguments(function.name, jit, positions, imports, renames)})"
        for outer in reversed(decorators[:compiled_by]):
            call = f"{positions.text(outer)}({call})"
        edits = [_without_line(decorator, positions) for decorator in decorators[: compiled_by + 1]]
        comments = "".join(_comment(decorator, positions) for decorator in decorators[: compiled_by + 1])
        edits.append(_after(function, f"{function.name} = {call}{comments}", positions))
        what = f"{function.name}: compiled with {compiler} below its definition, not by a decorator over @T.prim_func"
        yield edits, Change(jit.lineno, what)
    yield from _compiled_by_call(tree, positions, imports)
    if needs_import:
        statement = imports.first_of_tilelang
        line = statement.lineno if statement is not None else 1
        start = positions.line_start(line)
        yield [Edit(start, start, f"import tilelang{positions.newline}")], Change(line, "import tilelang")


def _compiled_by_call(
    tree: ast.Module, positions: Positions, imports: Imports
) -> Iterator[tuple[list[Edit], Change]]:
    """`tilelang.jit(kernel, out_idx=-1)` and `tilelang.jit(out_idx=-1)(kernel)` of a prim_func's name."""
    names = {function.name for function in prim_funcs(tree)}
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        first = call.args[0] if len(call.args) == 1 else None
        if not (isinstance(first, ast.Name) and first.id in names):
            continue
        if imports.canonical(call.func) == "tilelang.jit" and isinstance(call.func, ast.Attribute):
            start, end = positions.span(call.func)
            text = positions.text(call.func).removesuffix("jit") + "compile"
            yield [Edit(start, end, text)], Change(call.lineno, f"{first.id}: {text} compiles a prim_func, not jit")
        elif isinstance(call.func, ast.Call) and imports.canonical(call.func.func) == "tilelang.jit":
            compiler = _compiler(call.func, positions, imports)
            text = f"{compiler}({_arguments(first.id, call.func, positions, imports, ())})"
            yield (
                [Edit(*positions.span(call), text)],
                Change(call.lineno, f"{first.id}: {compiler} compiles a prim_func, not jit"),
            )


def _is_jit(decorator: ast.expr, imports: Imports) -> bool:
    return imports.canonical(decorator.func if isinstance(decorator, ast.Call) else decorator) == "tilelang.jit"


def _compiler(jit: ast.expr, positions: Positions, imports: Imports) -> str:
    """`tilelang.compile`, by the name that the file gives tilelang."""
    target = jit.func if isinstance(jit, ast.Call) else jit
    if isinstance(target, ast.Attribute):
        return f"{positions.text(target.value)}.compile"
    return f"{imports.alias_of('tilelang') or 'tilelang'}.compile"


def _arguments(name: str, jit: ast.expr, positions: Positions, imports: Imports, renames: Sequence[Edit]) -> str:
    """The compile call's arguments: the kernel, then the decorator's as they were written."""
    if not isinstance(jit, ast.Call) or not (jit.keywords or jit.args):
        return name
    kept = [k for k in jit.keywords if k.arg != "debug_root_path"]  # of jit alone
    if len(kept) < len(jit.keywords):
        return ", ".join([name, *(positions.text(keyword) for keyword in kept)])
    end = positions.span(jit)[1] - 1
    start = positions.data.index(b"(", positions.span(jit.func)[1]) + 1
    inside = [e for e in renames if start <= e.start and e.end <= end]
    moved = [Edit(e.start - start, e.end - start, e.text) for e in inside]
    text = splice(positions.data[start:end].decode(), moved)
    if not text.strip():
        return name
    margin = text[: len(text) - len(text.lstrip())]
    return f"{margin}{name},{text}" if margin else f"{name}, {text}"


def _without_line(decorator: ast.expr, positions: Positions) -> Edit:
    assert decorator.end_lineno is not None
    return Edit(positions.line_start(decorator.lineno), positions.line_end(decorator.end_lineno), "")


def _comment(decorator: ast.expr, positions: Positions) -> str:
    """A comment behind the decorator moves to the call that replaces it."""
    assert decorator.end_lineno is not None
    rest = positions.data[positions.span(decorator)[1] : positions.line_end(decorator.end_lineno)].decode().strip()
    return f"  {rest}" if rest.startswith("#") else ""


def _after(function: Function, statement: str, positions: Positions) -> Edit:
    assert function.end_lineno is not None
    end = positions.line_end(function.end_lineno)
    newline = positions.newline
    ends_line = positions.data[:end].endswith((b"\n", b"\r"))
    indent = positions.indent(function.lineno)
    text = f"{newline if indent else newline * 2}{indent}{statement}{newline}"
    return Edit(end, end, text if ends_line else newline + text)


def prim_funcs(tree: ast.AST) -> Iterator[Function]:
    """Functions decorated with `prim_func`, however it is spelled."""
    for node in ast.walk(tree):
        if isinstance(node, Function) and any(is_prim_func(decorator) for decorator in node.decorator_list):
            yield node


def is_prim_func(decorator: ast.expr) -> bool:
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    return (target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")) == "prim_func"


# ---------------------------------------------------------------- scalars set again


def _variables(tree: ast.Module, positions: Positions) -> Iterator[tuple[list[Edit], Change]]:
    module = Module(tree)
    for function in prim_funcs(tree):
        language = _language(function, positions)
        for variable in find_variables(function, Types(module, function, positions.text)):
            what = f"{variable.name} is set again across a loop or branch: a variable of {language}.alloc_var"
            yield _declared(variable, language, positions), Change(variable.line, what)


def _declared(variable: Variable, language: str, positions: Positions) -> list[Edit]:
    allocation = f"{language}.alloc_var({variable.dtype}"
    if variable.value is not None:
        start, end = positions.span(variable.value)
        edits = [Edit(start, start, f"{allocation}, init="), Edit(end, end, ")")]
        if variable.annotation is not None:
            after_name = positions.span(variable.annotation.target)[1]
            edits.append(Edit(after_name, positions.span(variable.annotation.annotation)[1], ""))
        return edits
    assert variable.before is not None
    line = variable.before.lineno
    start = positions.line_start(line)
    init = f", init={variable.init}" if variable.init else ""
    text = f"{positions.indent(line)}{variable.name} = {allocation}{init}){positions.newline}"
    return [Edit(start, start, text)]


def _language(function: Function, positions: Positions) -> str:
    """What the file calls tilelang.language, by the prim_func decorator: `T` of `@T.prim_func`."""
    decorator = next(d for d in function.decorator_list if is_prim_func(d))
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    return positions.text(target.value) if isinstance(target, ast.Attribute) else "T"
