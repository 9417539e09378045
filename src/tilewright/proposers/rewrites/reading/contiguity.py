"""Along what is memory contiguous: a point's own loops, or the points beside it?"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Literal

from tilewright.proposers.rewrites.reading.expressions import coefficient, names_in, polynomial
from tilewright.proposers.rewrites.reading.kernels import indices
from tilewright.proposers.rewrites.reading.points import Axis, Loop, Points, Step, expressions_of, inside

Direction = Literal["rows", "columns"]
"""Whether neighbours in memory are neighbours in a loop (a block goes along rows) or are points of their own."""


def neighbours(points: Points) -> tuple[Direction, Axis] | None:
    """Along what memory is contiguous in the loops (or in all, where there is no loop), and the axis to tile.

    None where neither is clear.
    """
    loops = [part for step in points.steps for part in inside(step) if isinstance(part, Loop)]
    looped = {axis.name for loop in loops for axis in loop.axes}
    candidates = looped | {axis.name for axis in points.axes}
    votes: dict[str, int] = {}
    for step in loops or points.steps:
        for access in _accesses(step):
            last = polynomial(indices(access)[-1], {})
            for variable in names_in(last) & candidates:
                if coefficient(last, variable) is not None:
                    votes[variable] = votes.get(variable, 0) + 1
    if not votes:
        return None
    by_name = {axis.name: axis for axis in points.axes}
    ranked = sorted(votes, key=lambda variable: -votes[variable])
    winner = ranked[0]
    if len(ranked) > 1 and votes[ranked[1]] == votes[winner] and (ranked[1] in looped) != (winner in looped):
        return None
    if winner in by_name:
        return "columns", by_name[winner]
    if winner not in looped:
        return None
    blocks = [axis for axis in points.axes if axis.block]
    return "rows", blocks[0] if blocks else points.axes[-1]


def _accesses(step: Step) -> Iterator[ast.Subscript]:
    for part in inside(step):
        for expression in expressions_of(part):
            for node in ast.walk(expression):
                if isinstance(node, ast.Subscript):
                    yield node
