"""Which kernels are one tiled matrix product, and where are their tile sizes written?"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tilewright.proposers.rewrites.reading.expressions import call_name
from tilewright.proposers.rewrites.reading.kernels import Buffer, Kernel, find_kernels
from tilewright.source.literals import Module, Origin
from tilewright.source.splice import Edit, Positions


@dataclass(frozen=True)
class Matmul:
    """A kernel with one `T.gemm`, in one loop over k, from two shared buffers into a fragment.

    `literals` are where "block_M", "block_N", "block_K", "threads" and "num_stages" are set, for those that are
    set by a literal of their own.
    """

    kernel: Kernel
    gemm: ast.Call
    loop: ast.For
    accumulator: Buffer
    left: Buffer
    right: Buffer
    literals: Mapping[str, tuple[Origin, ...]]

    def value(self, role: str) -> int | None:
        values = {origin.value for origin in self.literals.get(role, ())}
        return values.pop() if len(values) == 1 else None


def find_matmuls(tree: ast.Module) -> Iterator[Matmul]:
    module = Module(tree)
    for kernel in find_kernels(tree):
        found = _matmul(kernel, module)
        if found is not None:
            yield found


def settings(source: str, matmul: Matmul, values: Mapping[str, int]) -> list[Edit]:
    """The edits that set the values; one whose literal another value has set already is left out."""
    positions = Positions(source)
    edits: dict[int, Edit] = {}
    for role, value in values.items():
        for origin in matmul.literals.get(role, ()):
            start, end = positions.span(origin.node)
            edits.setdefault(start, Edit(start, end, str(value)))
    return [edit for edit in edits.values() if source.encode()[edit.start : edit.end].decode() != edit.text]


def _matmul(kernel: Kernel, module: Module) -> Matmul | None:
    gemms = [
        (statement, node)
        for statement in kernel.body
        if isinstance(statement, ast.For)
        for node in ast.walk(statement)
        if isinstance(node, ast.Call) and call_name(node) == "gemm"
    ]
    calls = sum(call_name(node) == "gemm" for node in ast.walk(kernel.launch))
    if len(gemms) != 1 or calls != 1:
        return None
    loop, gemm = gemms[0]
    operands = [kernel.buffers.get(a.id) if isinstance(a, ast.Name) else None for a in gemm.args[:3]]
    if len(operands) != 3 or not all(operands):
        return None
    left, right, accumulator = operands
    assert left and right and accumulator
    if accumulator.scope != "fragment" or left.scope != "shared":
        return None
    if len(accumulator.shape) != 2 or len(left.shape) != 2:
        return None
    flags = {k.arg: getattr(k.value, "value", None) for k in gemm.keywords}
    scope = kernel.prim_func
    sinks: dict[str, ast.expr] = {
        "block_M": accumulator.shape[0],
        "block_N": accumulator.shape[1],
        "block_K": left.shape[0 if flags.get("transpose_A") else -1],
        "threads": kernel.threads[0],
    }
    call = loop.iter
    if isinstance(call, ast.Call):
        stages = next((k.value for k in call.keywords if k.arg == "num_stages"), None)
        if stages is not None:
            sinks["num_stages"] = stages
    literals = {role: tuple(module.of(value, scope, role)) for role, value in sinks.items()}
    return Matmul(kernel, gemm, loop, accumulator, left, right, literals)
