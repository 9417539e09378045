"""What did shared memory hold that one phase of a block filled for the next?"""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace

from tilewright.proposers.rewrites.reading.expressions import name, replaced, same, substituted, text
from tilewright.proposers.rewrites.reading.points import Axis, Let, Loop, Set, Step, Store, renamed


@dataclass(frozen=True)
class Array:
    """Shared memory that held `value` at every element of an axis."""

    name: str
    axis: Axis
    steps: tuple[Step, ...]
    value: ast.expr


def with_arrays_read(step: Step, arrays: dict[str, Array]) -> Step:
    """Reads of shared memory replaced by what it was filled with, where a loop goes through it in order."""
    if not isinstance(step, Loop):
        return step
    inner: list[Step] = []
    for part in step.steps:
        part = with_arrays_read(part, arrays)
        for array in arrays.values():
            axis = next((a for a in step.axes if same(a.extent, array.axis.extent)), None)
            read = f"{array.name}[{axis.name}]" if axis else ""
            if axis is None or not isinstance(part, (Let, Set, Store)):
                continue
            if not any(read == text(node) for node in ast.walk(part.value)):
                continue
            inner += [renamed(before, array.axis.name, axis.name) for before in array.steps]
            value = substituted(array.value, {array.axis.name: name(axis.name)})
            part = replace(part, value=_with_read(part.value, read, value))
        inner.append(part)
    return Loop(step.axes, tuple(inner))


def _with_read(node: ast.expr, read: str, value: ast.expr) -> ast.expr:
    return replaced(node, lambda part: value if text(part) == read else None)
