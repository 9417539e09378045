"""A product's tile leaves through shared memory in whole rows.

What: a tile that threads store element by element, or that is copied straight from the accumulator's registers, is
copied into a shared tile of the output's dtype and from there to global memory.
Why faster: an accumulator's registers hold scattered pairs of elements, so each thread stores 4 bytes at a time
(and a thread that stores its own row makes every store of a warp touch 32 sectors); from shared memory, whole rows
leave in wide stores or by the copy engine.
When: a kernel has one `T.gemm` and what leaves is its accumulator, cast to a narrower dtype.
Safe because: the same values are rounded once to the same dtype.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from tilewright.proposers.rewrites.reading.expressions import (
    call_name,
    names,
    parse,
    polynomial,
    replaced,
    text,
    uncast,
)
from tilewright.proposers.rewrites.reading.kernels import Kernel, Rewritten, indices, without_loss
from tilewright.proposers.rewrites.reading.matmuls import Matmul, find_matmuls
from tilewright.source.splice import Edit, Positions

ANSWERS = ("uncoalesced-access", "scalar-loads")


def rewrite(source: str) -> Iterator[Rewritten]:
    for matmul in find_matmuls(ast.parse(source)):
        for line, edits in (*_direct_copies(source, matmul), *_stores_by_thread(source, matmul)):
            changed = without_loss(source, edits)
            if changed is not None:
                yield Rewritten(
                    changed,
                    line,
                    f"{matmul.kernel.name} stores its result in scattered narrow pieces; through a shared tile it "
                    "leaves in whole rows.",
                )


def _direct_copies(source: str, matmul: Matmul) -> Iterator[tuple[int, list[Edit]]]:
    """`T.copy(acc, C[...])`."""
    kernel, positions = matmul.kernel, Positions(source)
    for statement in kernel.body:
        call = statement.value if isinstance(statement, ast.Expr) else None
        if not isinstance(call, ast.Call) or call_name(call) != "copy" or len(call.args) != 2 or call.keywords:
            continue
        target = call.args[1]
        tensor = kernel.tensors.get(text(target.value)) if isinstance(target, ast.Subscript) else None
        if text(call.args[0]) != matmul.accumulator.name or tensor is None:
            continue
        if text(tensor.dtype) == text(matmul.accumulator.dtype):
            continue  # uncast, the registers' pairs are 8 bytes wide, and a shared tile costs as much as it saves
        shared = _free(kernel, f"{tensor.name}_shared")
        edges = ", ".join(text(edge) for edge in matmul.accumulator.shape)
        T = kernel.language
        last = max(buffer.node.end_lineno or 0 for buffer in kernel.buffers.values())
        place, indent = positions.line_end(last), positions.indent(last)
        allocation = f"{indent}{shared} = {T}.alloc_shared(({edges}), {text(tensor.dtype)}){positions.newline}"
        start, end = positions.span(statement)
        here = positions.newline + positions.indent(statement.lineno)
        copies = f"{T}.copy({matmul.accumulator.name}, {shared}){here}{T}.copy({shared}, {positions.text(target)})"
        yield statement.lineno, [Edit(place, place, allocation), Edit(start, end, copies)]


def _stores_by_thread(source: str, matmul: Matmul) -> Iterator[tuple[int, list[Edit]]]:
    """`for j in T.serial(block_N): C[row, col + j] = T.cast(C_shared[tx, j], dtype)`, a row for each thread."""
    kernel, positions = matmul.kernel, Positions(source)
    if list(kernel.thread_names.values()) != [0]:
        return
    (thread,) = kernel.thread_names
    plain = [s for s in kernel.body if isinstance(s, ast.Assign) and isinstance(s.targets[0], ast.Name)]
    lets = {text(statement.targets[0]): statement.value for statement in plain}
    for statement in kernel.body:
        found = _row_store(statement, kernel, thread, lets)
        if found is None:
            continue
        buffer, target = found
        tensor = kernel.tensors[text(target.value)]
        allocated = kernel.buffers[buffer]
        uses = [s for s in kernel.body if buffer in names(s)]
        if len(uses) != 2 or uses[1] is not statement or not _fills(uses[0], buffer, matmul.accumulator.name):
            continue
        assert isinstance(allocated.node.value, ast.Call)
        dtype = positions.span(allocated.node.value.args[1])
        start, end = positions.span(statement)
        edits = [
            Edit(*dtype, text(tensor.dtype)),
            Edit(start, end, f"{kernel.language}.copy({buffer}, {text(target)})"),
        ]
        yield statement.lineno, [*edits, *_leftovers(kernel, statement, {thread, *lets}, positions)]


def _row_store(
    statement: ast.stmt, kernel: Kernel, thread: str, lets: dict[str, ast.expr]
) -> tuple[str, ast.Subscript] | None:
    """The buffer that is stored and the first element that it goes to."""
    inner: ast.stmt = statement
    column = ""
    while isinstance(inner, (ast.For, ast.If)) and len(inner.body) == 1 and not inner.orelse:
        if isinstance(inner, ast.For):
            if column or not isinstance(inner.target, ast.Name):
                return None
            column, extent = inner.target.id, inner.iter
        inner = inner.body[0]
    if not column or not isinstance(inner, ast.Assign) or not isinstance(inner.targets[0], ast.Subscript):
        return None
    target, value = inner.targets[0], inner.value
    value = uncast(value)
    if not isinstance(value, ast.Subscript) or text(value.value) not in kernel.buffers:
        return None
    buffer = kernel.buffers[text(value.value)]
    sizes = kernel.sizes
    if [text(i) for i in indices(value)] != [thread, column] or text(target.value) not in kernel.tensors:
        return None
    whole = isinstance(extent, ast.Call) and len(extent.args) == 1 and len(buffer.shape) == 2
    if not whole or polynomial(extent.args[0], sizes) != polynomial(buffer.shape[1], sizes):  # type: ignore[attr-defined]
        return None
    if polynomial(kernel.threads[0], sizes) != polynomial(buffer.shape[0], sizes):
        return None
    places = indices(target)
    starts: list[ast.expr] = []
    for position, place in enumerate(places):
        full = replaced(place, lambda part: lets.get(part.id) if isinstance(part, ast.Name) else None)
        wanted = {len(places) - 2: thread, len(places) - 1: column}.get(position)
        start = _without(full, wanted) if wanted else full
        if start is None or {thread, column} & names(start):
            return None
        starts.append(start)
    return buffer.name, ast.Subscript(target.value, ast.Tuple(starts, ast.Load()), ast.Load())


def _without(node: ast.expr, variable: str) -> ast.expr | None:
    """`by * block` of `by * block + variable`."""
    if isinstance(node, ast.Name) and node.id == variable:
        return parse("0")
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        for this, other in ((node.left, node.right), (node.right, node.left)):
            if text(this) == variable:
                return other
    return None


def _fills(statement: ast.stmt, buffer: str, accumulator: str) -> bool:
    call = statement.value if isinstance(statement, ast.Expr) else None
    return (
        isinstance(call, ast.Call)
        and call_name(call) == "copy"
        and [text(argument) for argument in call.args] == [accumulator, buffer]
    )


def _leftovers(kernel: Kernel, gone: ast.stmt, candidates: set[str], positions: Positions) -> Sequence[Edit]:
    """Removal of the names that only the store used."""
    edits: dict[int, Edit] = {}
    removed: list[ast.stmt] = [gone]
    while True:
        left = [s for s in kernel.launch.body if not any(s is r for r in removed)]
        used = {n.id for s in left for n in ast.walk(s) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        idle = [s for s in left if isinstance(s, ast.Assign) and text(s.targets[0]) in candidates - used]
        if not idle:
            return list(edits.values())
        for statement in idle:
            start = positions.line_start(statement.lineno)
            end = positions.line_end(statement.end_lineno or statement.lineno)
            edits[start] = Edit(start, end, "")
        removed += idle


def _free(kernel: Kernel, wish: str) -> str:
    taken = names(kernel.factory) | {node.arg for node in ast.walk(kernel.factory) if isinstance(node, ast.arg)}
    return next(w for w in (wish, *(f"{wish}_{n}" for n in range(2, 99))) if w not in taken)
