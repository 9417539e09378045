"""What grew from what: each structure with how it ended, indented below the one that it changed."""

from __future__ import annotations

from dataclasses import dataclass

from tilewright.report import words
from tilewright.report.page.axes import WIDTH, label, leading_to, marker, path, svg
from tilewright.report.page.markup import Html, tag
from tilewright.report.page.shown import SHAPES, Shown, Shows

_ROW, _INDENT, _DEEPEST = 26, 22, 12
_CHARACTER = 7.4
"""How wide one is at most, in bold, so that a row ends where the picture does."""


@dataclass(frozen=True)
class _Node:
    """A structure: the attempt that has it first, its best setting, and how many settings were tried of it."""

    first: Shown
    best: Shown
    settings: int
    parent: str | None


def tree(run: Shows) -> Html:
    """One row a structure; the knob settings of a structure are summed up in its row."""
    nodes = _nodes(run)
    rows = _rows(nodes)
    place = {id_: number for number, (id_, _) in enumerate(rows)}
    line = _lineage(run, nodes)
    drawn: list[Html] = []
    for id_, depth in rows:
        x, y = _x(depth), _y(place[id_])
        parent = nodes[id_].parent
        if parent in place:
            above = _x(depth - 1) if depth <= _DEEPEST else x
            kind = "branch on-line" if id_ in line else "branch"
            drawn.append(path([(above, _y(place[parent]) + 6), (above, y), (x - 7, y)], kind))
    for id_, depth in rows:
        drawn.append(_row(nodes[id_], _x(depth), _y(place[id_]), id_ in line))
    deepest = max((depth for _, depth in rows), default=0)
    text = f"Tree of {len(rows)} structures, {deepest} changes deep. The list of candidates has them all."
    return tag("div", svg(_y(len(rows)) - _ROW / 2, text, *drawn), class_="tall")


def _nodes(run: Shows) -> dict[str, _Node]:
    """By structure, in the order of the run."""
    structure_of = {one.attempt.candidate.id: one.attempt.candidate.structure_id for one in run.attempts}
    families: dict[str, list[Shown]] = {}
    for one in run.attempts:
        families.setdefault(one.attempt.candidate.structure_id, []).append(one)
    nodes: dict[str, _Node] = {}
    for id_, family in families.items():
        parent = structure_of.get(family[0].attempt.candidate.parent or "")
        best = max(family, key=lambda one: one.value.speed if one.value else 0.0)
        best = next((one for one in family if one.fate == "best"), best)
        nodes[id_] = _Node(family[0], best, len(family) - 1, parent if parent in nodes and parent != id_ else None)
    return nodes


def _rows(nodes: dict[str, _Node]) -> list[tuple[str, int]]:
    """Depth first, each with how many changes deep it is."""
    children: dict[str | None, list[str]] = {}
    for id_, node in nodes.items():
        children.setdefault(node.parent, []).append(id_)
    rows: list[tuple[str, int]] = []
    stack = [(id_, 0) for id_ in reversed(children.get(None, []))]
    while stack:
        id_, depth = stack.pop()
        rows.append((id_, depth))
        stack += [(child, depth + 1) for child in reversed(children.get(id_, []))]
    return rows


def _lineage(run: Shows, nodes: dict[str, _Node]) -> set[str]:
    """The structures that the best grew through."""
    at = run.best.candidate.structure_id if run.best else None
    line: set[str] = set()
    while at is not None and at in nodes:
        line.add(at)
        at = nodes[at].parent
    return line


def _row(node: _Node, x: float, y: float, on_line: bool) -> Html:
    one = node.first
    shape = SHAPES[node.best.fate] if node.best.fate == "best" else SHAPES[one.fate]
    fate = node.best.fate if node.best.fate == "best" else one.fate
    ended = f"{one.number} {one.brief}"
    if node.settings:
        ended += f", {node.best.brief} at the best of {node.settings + 1} settings"
    what = "" if one.attempt.phase == "seed" else f" — {words.hypothesis(one.attempt)}"
    row = f"{ended}{what}"
    room = int((WIDTH - x - 12) / _CHARACTER)
    shown = row if len(row) <= room else f"{row[: room - 1]}…"
    text = label(x + 12, y + 4, shown, "on-line" if on_line else "")
    said = f"{row}. {words.attempted(one.attempt)}" if one.fate == "failed" else row
    drawn = marker(x, y, shape, fate, said)
    return leading_to(one.attempt.index, tag("title", said), drawn, text)


def _x(depth: int) -> float:
    return 14.0 + min(depth, _DEEPEST) * _INDENT


def _y(row: int) -> float:
    return 16.0 + row * _ROW
