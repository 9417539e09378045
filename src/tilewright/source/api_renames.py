"""Which names, keywords and configurations of older TileLang a file uses, and what they are called now."""

from __future__ import annotations

import ast
import functools
import importlib.resources
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tilewright.source.imported import Imports
from tilewright.source.splice import Edit, Positions

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def rename_edits(tree: ast.Module, positions: Positions, imports: Imports) -> Iterator[tuple[list[Edit], int, str]]:
    """(edits, line, what changed) for all that `data/api_renames.toml` knows."""
    table = _table()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            new = table.names.get(imports.canonical(node))
            if new:
                end = positions.span(node)[1]
                edit = Edit(end - len(node.attr.encode()), end, new)
                yield [edit], node.lineno, f"{positions.text(node)} is called {new} now"
        elif isinstance(node, ast.ImportFrom):
            yield from _import(node, positions, table)
        elif isinstance(node, ast.Call):
            yield from _call(node, positions, imports, table)


@dataclass(frozen=True)
class _Table:
    names: Mapping[str, str]
    modules: Mapping[str, str]
    keywords: Mapping[str, Sequence[str]]
    positional: Mapping[str, Mapping[str, str]]
    removed: frozenset[str]
    renamed: Mapping[str, str]


@functools.lru_cache(maxsize=1)
def _table() -> _Table:
    text = (importlib.resources.files("tilewright") / "data" / "api_renames.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    configs = data["pass_configs"]
    return _Table(
        data["names"], data["modules"], data["keywords"], data["positional"],
        frozenset(configs["removed"]), configs["renamed"],
    )  # fmt: skip


def _import(node: ast.ImportFrom, positions: Positions, table: _Table) -> Iterator[tuple[list[Edit], int, str]]:
    new = table.modules.get(node.module or "")
    if new and node.module:
        start, end = positions.span(node)
        at = positions.data.index(node.module.encode(), start, end)
        yield [Edit(at, at + len(node.module.encode()), new)], node.lineno, f"{node.module} is {new} now"


def _call(
    node: ast.Call, positions: Positions, imports: Imports, table: _Table
) -> Iterator[tuple[list[Edit], int, str]]:
    name = imports.canonical(node.func)
    gone = [keyword for keyword in node.keywords if _is_gone(keyword, table.keywords.get(name, ()))]
    if gone:
        parts: list[ast.expr | ast.keyword] = [*node.args, *node.keywords]
        parts.sort(key=lambda part: positions.span(part))
        edits = _without([positions.span(part) for part in parts], [parts.index(k) for k in gone], positions)
        words = ", ".join(keyword.arg or "" for keyword in gone)
        yield edits, node.lineno, f"{positions.text(node.func)} knows {words} no longer; dropped"
    for position, keyword_name in table.positional.get(name, {}).items():
        if len(node.args) > int(position) and not any(isinstance(a, ast.Starred) for a in node.args):
            start = positions.span(node.args[int(position)])[0]
            what = f"{positions.text(node.func)} takes {keyword_name} by name only"
            yield [Edit(start, start, f"{keyword_name}=")], node.lineno, what
    for keyword in node.keywords:
        if keyword.arg == "pass_configs" and isinstance(keyword.value, ast.Dict):
            yield from _pass_configs(keyword.value, positions, table)


def _is_gone(keyword: ast.keyword, gone: Sequence[str]) -> bool:
    if isinstance(keyword.value, ast.Constant) and f"{keyword.arg}={keyword.value.value!r}" in gone:
        return True
    return keyword.arg in gone


def _pass_configs(
    table_in_source: ast.Dict, positions: Positions, table: _Table
) -> Iterator[tuple[list[Edit], int, str]]:
    spans: list[tuple[int, int]] = []
    gone: list[int] = []
    for index, (key, value) in enumerate(zip(table_in_source.keys, table_in_source.values)):
        start = positions.span(key)[0] if key is not None else positions.span(value)[0]
        spans.append((start, positions.span(value)[1]))
        name = key.attr if isinstance(key, ast.Attribute) else key.value if isinstance(key, ast.Constant) else ""
        if name in table.removed:
            gone.append(index)
        elif key is not None and isinstance(name, str) and name in table.renamed:
            new = table.renamed[name]
            yield [Edit(*positions.span(key), f'"{new}"')], key.lineno, f"pass configuration {name} is {new} now"
    if gone:
        line = table_in_source.lineno
        yield _without(spans, gone, positions), line, "pass configurations that are gone are dropped"


def _without(spans: Sequence[tuple[int, int]], gone: Sequence[int], positions: Positions) -> list[Edit]:
    """Elements of a list taken out, each with the comma that set it apart."""
    edits: list[Edit] = []
    for index in gone:
        kept_before = [i for i in range(index) if i not in gone]
        following = index + 1
        if following < len(spans):
            edits.append(Edit(spans[index][0], spans[following][0], ""))
        elif kept_before:
            begin = spans[kept_before[-1]][1]
            edits = [edit for edit in edits if edit.start < begin]
            edits.append(Edit(begin, spans[index][1], ""))
        else:
            end = spans[index][1]
            rest = positions.data[end:]
            comma = rest.lstrip()[:1] == b","
            edits.append(Edit(spans[index][0], end + (rest.index(b",") + 1 if comma else 0), ""))
    return edits
