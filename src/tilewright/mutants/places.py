"""Bugs in where a kernel reads and writes: block numbers, offsets, strides, subscripts."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from tilewright.mutants.reading import Change, Source, base_name, indices, is_number
from tilewright.source.knobs import values_of

_OTHER_DIVISION: Mapping[type[ast.operator], tuple[str, str]] = {ast.FloorDiv: ("//", "%"), ast.Mod: ("%", "//")}


def wrong_block(source: Source) -> Iterator[Change]:
    """`by * block_M` -> `bx * block_M`"""
    for body in source.bodies:
        for offset in body.offsets():
            name = source.text(offset.left)
            if name in body.blocks:
                yield from (source.replaced(offset.left, other) for other in body.blocks if other != name)


def not_scaled(source: Source) -> Iterator[Change]:
    """`by * block_M` -> `by`"""
    for body in source.bodies:
        for offset in body.offsets():
            yield source.replaced(offset, source.text(offset.left))


def missing_offset(source: Source) -> Iterator[Change]:
    """`k * block_K` -> `0`"""
    for body in source.bodies:
        for offset in body.offsets():
            yield source.replaced(offset, "0")


def wrong_stride(source: Source) -> Iterator[Change]:
    """`by * block_M` -> `by * block_K`: another of the sizes that the file sets, one with another value"""
    sizes = _sizes(source)
    for body in source.bodies:
        for offset in body.offsets():
            own = source.text(offset.right)
            other = next((name for name, size in sizes.items() if own in sizes and size != sizes[own]), None)
            if other is not None and _visible(other, source, offset.lineno):
                yield source.replaced(offset.right, other)


def swapped_subscripts(source: Source) -> Iterator[Change]:
    """`A[i, j]` -> `A[j, i]`, of tensors in device memory"""
    for body in source.bodies:
        for node in body.subscripts():
            if base_name(node) in body.tensors and len(indices(node)) > 1:
                change = source.swapped(*indices(node)[-2:])
                if change is not None:
                    yield change


def next_element(source: Source) -> Iterator[Change]:
    """`X[row, j]` -> `X[row, j + 1]`"""
    for body in source.bodies:
        for node in body.subscripts():
            last = indices(node)[-1]
            if not is_number(last) and not isinstance(last, ast.Slice) and base_name(node) in body.tensors:
                yield source.replaced(last, f"{source.text(last)} + 1")


def remainder_for_quotient(source: Source) -> Iterator[Change]:
    """`i // n` <-> `i % n`"""
    for body in source.bodies:
        for node in body.nodes:
            if isinstance(node, ast.BinOp) and type(node.op) in _OTHER_DIVISION and body.is_place(node.left):
                old, new = _OTHER_DIVISION[type(node.op)]
                edit = source.between(node.left, node.right, old, new)
                if edit is not None:
                    yield Change(f"{old} becomes {new} in {source.line(node)}", node.lineno, (edit,))


def _sizes(source: Source) -> Mapping[str, int]:
    """Tile sizes and thread counts of the file, by plain name."""
    found = values_of(source.positions.data.decode()).items()
    return {n: v for n, v in found if n.isidentifier() and isinstance(v, int) and "stages" not in n and v > 1}


def _visible(name: str, source: Source, line: int) -> bool:
    """Whether the function around a line has a parameter of that name."""
    around = [
        node
        for node in ast.walk(source.tree)
        if isinstance(node, ast.FunctionDef) and node.lineno <= line <= (node.end_lineno or 0)
    ]
    return any(argument.arg == name for function in around for argument in ast.walk(function.args)
               if isinstance(argument, ast.arg))  # fmt: skip
