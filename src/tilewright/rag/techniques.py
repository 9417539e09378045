"""Which techniques does a kernel's source show? The patterns are rows of `data/techniques.toml`."""

from __future__ import annotations

import ast
import fnmatch
import functools
import importlib.resources
import operator
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tilewright.errors import ConfigError
from tilewright.records import Finding
from tilewright.source.imported import Imports

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_LANGUAGE = "tilelang.language."
_COMPARISONS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
_CATEGORY_ALONE = 0.3
"""How much a technique answers a finding of its category that its rules don't name; a rule it names is 1."""


@dataclass(frozen=True)
class Condition:
    """One thing that a source has (or, `absent`, has not): a call or a piece of code. See the table's head."""

    call: str = ""
    keywords: tuple[tuple[str, object], ...] = ()
    argument: object = None
    inside: str = ""
    within: str = ""
    beside: str = ""
    times: int = 1
    code: re.Pattern[str] | None = None
    absent: bool = False


@dataclass(frozen=True)
class Technique:
    """`signs` are alternatives, each of conditions that must all hold."""

    name: str
    what: str
    signs: tuple[tuple[Condition, ...], ...]
    rules: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    archs: tuple[str, ...] = ()

    def answers(self, finding: Finding) -> float:
        """From 0, not at all, to 1: the table names the finding's rule."""
        if finding.rule in self.rules:
            return 1.0
        return _CATEGORY_ALONE if finding.category in self.categories else 0.0

    def runs_on(self, arch: str) -> bool:
        """`arch` like sm_90a; "" where the GPU is not known."""
        return not self.archs or not arch or arch.rstrip("af") in self.archs


@functools.cache
def shipped_techniques() -> tuple[Technique, ...]:
    text = importlib.resources.files("tilewright").joinpath("data/techniques.toml").read_text(encoding="utf-8")
    return read_techniques(text)


def read_techniques(text: str) -> tuple[Technique, ...]:
    """The rows of a table. Raises `ConfigError` for a row that says what no row can."""
    try:
        return tuple(_technique(row) for row in tomllib.loads(text)["technique"])
    except (tomllib.TOMLDecodeError, KeyError, TypeError, re.error) as error:
        raise ConfigError(f"no readable table of techniques: {type(error).__name__}: {error}") from error


def found_in(source: str, techniques: Sequence[Technique]) -> tuple[Technique, ...]:
    """Those that a kernel shows, in the table's order; none for a source that is no Python."""
    reading = _read(source)
    if reading is None:
        return ()
    return tuple(t for t in techniques if any(all(map(reading.meets, sign)) for sign in t.signs))


@dataclass(frozen=True)
class _Call:
    keywords: Mapping[str, object]
    arguments: tuple[object, ...]
    loops: tuple[str, ...]
    functions: tuple[str, ...]


_UNKNOWN = object()
"""A value that only a run would show."""


@dataclass(frozen=True)
class _Reading:
    calls: Mapping[str, Sequence[_Call]]
    """By name."""
    code: str

    def meets(self, condition: Condition) -> bool:
        if condition.code is not None:
            return (condition.code.search(self.code) is not None) != condition.absent
        count = sum(self._is_meant(call, condition) for call in self._named(condition.call))
        return (count >= condition.times) != condition.absent

    def _is_meant(self, call: _Call, condition: Condition) -> bool:
        return (
            all(key in call.keywords and _agrees(call.keywords[key], wanted) for key, wanted in condition.keywords)
            and (condition.argument is None or condition.argument in (*call.arguments, *call.keywords.values()))
            and (not condition.inside or any(_like(loop, condition.inside) for loop in call.loops))
            and (not condition.within or condition.within in call.functions)
            and (not condition.beside or self._has(condition.beside, call.functions))
        )

    def _has(self, name: str, functions: tuple[str, ...]) -> bool:
        return any(call.functions == functions for call in self._named(name))

    def _named(self, pattern: str) -> Sequence[_Call]:
        if "*" not in pattern and "?" not in pattern:
            return self.calls.get(pattern, ())
        return [call for name, calls in self.calls.items() if _like(name, pattern) for call in calls]


@functools.lru_cache(maxsize=1 << 14)
def _like(name: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(name, pattern)


def _agrees(value: object, wanted: object) -> bool:
    if wanted == "*":
        return True
    sign, _, number = wanted.partition(" ") if isinstance(wanted, str) else ("", "", "")
    if sign in _COMPARISONS:
        return isinstance(value, (int, float)) and bool(_COMPARISONS[sign](value, float(number)))
    return type(value) is type(wanted) and value == wanted


def _read(source: str) -> _Reading | None:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return None
    imports = Imports(tree)
    nodes = list(ast.walk(tree))
    reader = _Reader(imports, _values(nodes))
    reader.visit(tree)
    for node in nodes:
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node, clean=False):
            node.body = node.body[1:] or [ast.Pass()]
    code = ast.unparse(tree)
    alias = imports.alias_of(_LANGUAGE.rstrip("."))
    return _Reading(reader.calls, re.sub(rf"\b{alias}\.", "T.", code) if alias not in ("", "T") else code)


class _Reader(ast.NodeVisitor):
    """Collects the calls of a file with the loops and functions that they are in."""

    def __init__(self, imports: Imports, values: Mapping[str, object]) -> None:
        self.calls: dict[str, list[_Call]] = {}
        self._imports = imports
        self._values = values
        self._loops: tuple[str, ...] = ()
        self._functions: tuple[str, ...] = ()

    def visit_For(self, node: ast.For) -> None:
        self.visit(node.iter)
        outer = self._loops
        loop = self._name(node.iter.func) if isinstance(node.iter, ast.Call) else "for"
        self._loops = (*outer, loop)
        for statement in node.body:
            self.visit(statement)
        self._loops = outer

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        outer = self._functions
        self._functions = (*outer, node.name)
        self.generic_visit(node)
        self._functions = outer

    def visit_Call(self, node: ast.Call) -> None:
        keywords = {k.arg: self._value(k.value) for k in node.keywords if k.arg}
        arguments = tuple(self._value(argument) for argument in node.args)
        call = _Call(keywords, arguments, self._loops, self._functions)
        self.calls.setdefault(self._name(node.func), []).append(call)
        self.generic_visit(node)

    def _name(self, node: ast.expr) -> str:
        dotted = self._imports.canonical(node)
        if dotted.startswith(_LANGUAGE):
            return "T." + dotted[len(_LANGUAGE) :]
        return dotted or (f".{node.attr}" if isinstance(node, ast.Attribute) else "")

    def _value(self, node: ast.expr) -> object:
        if isinstance(node, ast.Constant):
            return node.value
        return self._values.get(node.id, _UNKNOWN) if isinstance(node, ast.Name) else _UNKNOWN


def _values(nodes: Iterable[ast.AST]) -> dict[str, object]:
    """Names with the constant that they stand for: a parameter's default, or the only value they are given."""
    values: dict[str, object] = {}
    for node in nodes:
        if isinstance(node, ast.FunctionDef):
            arguments = [*node.args.posonlyargs, *node.args.args]
            defaults: Sequence[ast.expr | None] = node.args.defaults
            pairs = [
                *zip(arguments[len(arguments) - len(defaults) :], defaults),
                *zip(node.args.kwonlyargs, node.args.kw_defaults),
            ]
            values.update((a.arg, d.value) for a, d in pairs if isinstance(d, ast.Constant))
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name, value = node.targets[0].id, node.value
            is_first = name not in values and isinstance(value, ast.Constant)
            values[name] = value.value if is_first and isinstance(value, ast.Constant) else _UNKNOWN
    return values


def _technique(row: Mapping[str, Any]) -> Technique:
    signs = tuple(tuple(_condition(condition) for condition in sign) for sign in row["signs"])
    lists = {key: tuple(row.get(key, ())) for key in ("rules", "categories", "archs")}
    unknown = set(row) - {"name", "what", "signs", *lists}
    if unknown:
        raise TypeError(f"technique {row['name']!r} has no {', '.join(sorted(unknown))}")
    return Technique(row["name"], row["what"], signs, **lists)


def _condition(row: Mapping[str, Any]) -> Condition:
    code = re.compile(row["code"]) if "code" in row else None
    keywords = tuple(sorted(row.get("keywords", {}).items()))
    if bool(code) == ("call" in row):
        raise TypeError(f"a condition has a call or code: {row}")
    return Condition(**{**row, "keywords": keywords, "code": code})
