"""A matrix product by dot products of single threads becomes tiles in shared memory and `T.gemm`.

What: where every thread sums A[row, k] * B[k, col] over k from global memory, a block computes a tile of the result:
tiles of A and B are copied into shared memory in a pipelined loop over k and multiplied on the tensor cores; what
the kernel did with a sum is done on the tile before it is stored.
Why faster: an element of A or B is read once for a whole tile row or column instead of for every product, and the
multiply-adds run on the tensor cores.
When: both operands have one dtype, `row`, `k` and `col` are their last two indices (either way round), and other
indices are the block's own (a batch).
Safe because: sums keep their dtype; products of fp16 or bf16 are exact in it. Tiles that stick out read zeros and
their surplus is not stored.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from tilewright.proposers.rewrites.reading.expressions import (
    names,
    parse,
    replaced,
    same,
    substituted,
    text,
    uncast,
)
from tilewright.proposers.rewrites.reading.kernels import Kernel, Rewritten, find_kernels, indices, literal
from tilewright.proposers.rewrites.reading.points import (
    Axis,
    Let,
    Loop,
    Points,
    Set,
    Step,
    Store,
    is_neutral,
    reduction,
)
from tilewright.proposers.rewrites.reading.threads import points_of_threads
from tilewright.proposers.rewrites.writing.factories import free_knobs, with_launch

ANSWERS = (
    "matmul-without-tensor-cores",
    "no-shared-reuse",
    "redundant-work",
    "serial-reduction",
    "uncoalesced-access",
)
# Products of these are exact in fp32; fp32 operands would be rounded to tf32 on the tensor cores.
_EXACT = ('"float16"', '"bfloat16"')
_KNOBS = {"block_M": 128, "block_N": 128, "block_K": 64, "threads": 256, "num_stages": 3}


def rewrite(source: str) -> Iterator[Rewritten]:
    for kernel in find_kernels(ast.parse(source)):
        points = points_of_threads(kernel) if kernel.thread_names else None
        product = _product(kernel, points) if points else None
        if product is None:
            continue
        named = free_knobs(kernel, _KNOBS)
        lines = _launch(kernel, product, named)
        changed = with_launch(source, kernel, lines, {named[knob]: value for knob, value in _KNOBS.items()})
        if changed is not None:
            yield Rewritten(
                changed,
                kernel.launch.lineno,
                f"{kernel.name} sums products in single threads from global memory; tiles in shared memory and "
                "T.gemm read each operand far less often and use the tensor cores.",
            )


@dataclass(frozen=True)
class _Operand:
    """`other` is the axis that is not summed over; `transposed`: it is not where T.gemm expects it."""

    access: ast.Subscript
    other: Axis
    other_is_last: bool


@dataclass(frozen=True)
class _Product:
    left: _Operand
    right: _Operand
    summed: Axis
    batch: tuple[Axis, ...]
    accumulator: str
    dtype: ast.expr
    store: Store


def _product(kernel: Kernel, points: Points) -> _Product | None:
    shape = _outline(points)
    if shape is None:
        return None
    start, loop, rest = shape
    found = reduction(loop)
    if found is None or len(found[1]) != 1 or len(loop.axes) != 1:
        return None
    per_element, (gathered,) = found
    lets = {step.name: step.value for step in per_element if isinstance(step, Let)}
    if gathered.name != start.name or gathered.operation != "sum" or not is_neutral(start.value, "sum"):
        return None
    if len(lets) != len(per_element):
        return None
    value = substituted(gathered.value, lets)
    if not isinstance(value, ast.BinOp) or not isinstance(value.op, ast.Mult):
        return None
    summed = loop.axes[0]
    operands = [_operand(kernel, side, summed, points) for side in (value.left, value.right)]
    store = _store(rest)
    if operands[0] is None or operands[1] is None or store is None:
        return None
    target = [text(index) for index in indices(store.target)]
    first, second = operands[0], operands[1]
    if len(target) < 2 or target[-2:] == [second.other.name, first.other.name]:
        first, second = second, first
    dtypes = [text(kernel.tensors[text(side.access.value)].dtype) for side in (first, second)]
    if target[-2:] != [first.other.name, second.other.name] or dtypes[0] != dtypes[1]:
        return None
    if literal(kernel.tensors[text(first.access.value)].dtype, kernel) not in _EXACT:
        return None
    batch = tuple(axis for axis in points.axes if axis not in (first.other, second.other))
    if len(batch) > 1:
        return None
    return _Product(first, second, summed, batch, start.name, points.scalars[start.name], store)


def _outline(points: Points) -> tuple[Set, Loop, tuple[Step, ...]] | None:
    if len(points.steps) < 3:
        return None
    start, loop, *rest = points.steps
    if not isinstance(start, Set) or not isinstance(loop, Loop):
        return None
    return start, loop, tuple(rest)


def _operand(kernel: Kernel, node: ast.expr, summed: Axis, points: Points) -> _Operand | None:
    node = uncast(node)
    if not isinstance(node, ast.Subscript) or text(node.value) not in kernel.tensors:
        return None
    places = indices(node)
    last = [text(place) for place in places[-2:]]
    others = [axis for axis in points.axes if axis.name in last]
    if len(last) != 2 or summed.name not in last or len(others) != 1:
        return None
    used_before = set().union(*(names(place) for place in places[:-2]))
    if {summed.name, others[0].name} & used_before:
        return None
    extents = dict(zip(last, kernel.tensors[text(node.value)].shape[-2:]))
    fits = same(extents[summed.name], summed.extent) and same(extents[others[0].name], others[0].extent)
    return _Operand(node, others[0], last[1] == others[0].name) if fits else None


def _store(rest: tuple[Step, ...]) -> Store | None:
    """What is stored, with the lets and sets before it written out; None where more is done."""
    known: dict[str, ast.expr] = {}
    for step in rest[:-1]:
        if not isinstance(step, (Let, Set)):
            return None
        known[step.name] = replaced(
            step.value, lambda part: known.get(part.id) if isinstance(part, ast.Name) else None
        )
    last = rest[-1] if rest else None
    if not isinstance(last, Store):
        return None
    value = replaced(last.value, lambda part: known.get(part.id) if isinstance(part, ast.Name) else None)
    return Store(last.target, value)


def _launch(kernel: Kernel, product: _Product, named: dict[str, str]) -> list[str]:
    T = kernel.language
    bM, bN, bK = named["block_M"], named["block_N"], named["block_K"]
    left, right = product.left, product.right
    a, b, c = (text(side.value) for side in (left.access, right.access, product.store.target))
    dtype = text(kernel.tensors[a].dtype)
    a_shape = f"({bK}, {bM})" if left.other_is_last else f"({bM}, {bK})"
    b_shape = f"({bK}, {bN})" if right.other_is_last else f"({bN}, {bK})"
    rows, columns = left.other, right.other
    grid = [f"{T}.ceildiv({text(columns.extent)}, {bN})", f"{T}.ceildiv({text(rows.extent)}, {bM})"]
    blocks = ["bx", "by"]
    for axis in product.batch:
        grid.append(text(axis.extent))
        blocks.append(axis.name)
    at = {rows.name: f"by * {bM}", columns.name: f"bx * {bN}", product.summed.name: f"k * {bK}"}
    extra = ", transpose_A=True" * left.other_is_last + ", transpose_B=True" * (not right.other_is_last)
    out = [
        f"with {T}.Kernel({', '.join(grid)}, threads={named['threads']}) as ({', '.join(blocks)}):",
        f"    {a}_shared = {T}.alloc_shared({a_shape}, {dtype})",
        f"    {b}_shared = {T}.alloc_shared({b_shape}, {dtype})",
        f"    acc = {T}.alloc_fragment(({bM}, {bN}), {text(product.dtype)})",
        f"    {c}_shared = {T}.alloc_shared(({bM}, {bN}), {text(kernel.tensors[c].dtype)})",
        "",
        f"    {T}.clear(acc)",
        f"    for k in {T}.Pipelined({T}.ceildiv({text(product.summed.extent)}, {bK}), "
        f"num_stages={named['num_stages']}):",
        f"        {T}.copy({_corner(left.access, at)}, {a}_shared)",
        f"        {T}.copy({_corner(right.access, at)}, {b}_shared)",
        f"        {T}.gemm({a}_shared, {b}_shared, acc{extra})",
    ]
    value = product.store.value
    value = uncast(value)  # the copy into shared memory casts
    if text(value) != product.accumulator:
        out.append(f"    for i, j in {T}.Parallel({bM}, {bN}):")
        places = {rows.name: f"by * {bM} + i", columns.name: f"bx * {bN} + j", product.accumulator: "acc[i, j]"}
        here = replaced(
            value, lambda part: parse(places[part.id]) if isinstance(part, ast.Name) and part.id in places else None
        )
        out.append(f"        acc[i, j] = {text(here)}")
    return [
        *out,
        f"    {T}.copy(acc, {c}_shared)",
        f"    {T}.copy({c}_shared, {_corner(product.store.target, at)})",
    ]


def _corner(access: ast.Subscript, at: dict[str, str]) -> str:
    changed = replaced(
        access, lambda part: parse(at[part.id]) if isinstance(part, ast.Name) and part.id in at else None
    )
    return text(changed)
