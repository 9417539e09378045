"""Which settings of a kernel's knobs can't work on a GPU, seen from the source alone."""

from __future__ import annotations

import ast
import functools
import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tilewright.hardware import MAX_REGISTERS_PER_THREAD, MAX_THREADS_PER_BLOCK, WARP_SIZE
from tilewright.records import KnobValue
from tilewright.source.knobs import with_values
from tilewright.source.literals import Function, Module, own_nodes

_BYTES = {"float64": 8, "int64": 8, "float32": 4, "float": 4, "int32": 4, "int": 4, "float16": 2, "half": 2,
          "bfloat16": 2, "int16": 2, "int8": 1, "uint8": 1, "bool": 1}  # fmt: skip

# One warp of a tensor-core product owns whole 16 x 8 tiles of the result: tilelang 0.1.15 refuses a T.gemm whose
# result can't be split that way ("No valid warp partition"), for mma and wgmma alike.
_WARP_ROWS, _WARP_COLUMNS = 16, 8


class Limits(Protocol):
    """What of a GPU counts here; `hardware.Gpu` is one."""

    @property
    def shared_bytes_per_block(self) -> int: ...


def infeasible(source: str, values: Mapping[str, KnobValue], gpu: Limits) -> str | None:
    """Why the source with these knob values can't work on the GPU, or None where nothing says so.

    Only what is certain counts: sizes that the source doesn't tell are left out, shared memory is a lower bound
    (buffers that are never alive together share it). Where a kernel breaks a rule that is no law (spilt
    registers, half a warp) with its present values already, that rule is no reason.
    """
    limit = gpu.shared_bytes_per_block
    present = dict(_complaints(source, limit))
    for rule, complaint in _complaints(with_values(source, values), limit):
        if rule[0] in _LAWS or rule not in present:
            return complaint
    return None


@dataclass(frozen=True)
class _Buffer:
    name: str
    shape: tuple[int, ...]
    bytes_each: int

    @property
    def elements(self) -> int:
        return math.prod(self.shape)


_DEFAULT_THREADS = 128  # of T.Kernel without threads=, for CUDA
_LAWS = ("threads", "shared")
_Values = Mapping[str, "int | str"]
_Rule = tuple[str, int]
"""A rule and the line of the kernel that breaks it."""


@functools.lru_cache(maxsize=16)
def _complaints(source: str, shared_limit: int) -> tuple[tuple[_Rule, str], ...]:
    return tuple(_found(source, shared_limit))


def _found(source: str, shared_limit: int) -> Iterator[tuple[_Rule, str]]:
    module = Module(ast.parse(source))
    for function in module.functions:
        for launch in own_nodes(function):
            if (
                isinstance(launch, ast.Call)
                and isinstance(launch.func, ast.Attribute)
                and launch.func.attr == "Kernel"
            ):
                known = _known_values(module, function)
                yield from _complaints_of_kernel(function, _threads(launch, known), known, shared_limit)
                yield from _uneven_divisions([function, module.scope(function)], known)


def _complaints_of_kernel(
    function: Function, threads: int | None, known: _Values, shared_limit: int
) -> Iterator[tuple[_Rule, str]]:
    line = function.lineno
    if threads is not None and threads > MAX_THREADS_PER_BLOCK:
        yield ("threads", line), f"{threads} threads a block; a block has at most {MAX_THREADS_PER_BLOCK}"
    elif threads is not None and threads % WARP_SIZE:
        yield ("warps", line), f"{threads} threads a block are no whole number of warps of {WARP_SIZE}"

    shared = {buffer.name: buffer for buffer in _buffers(function, "alloc_shared", known)}
    needed = _shared_bytes(function, shared, known)
    if needed > shared_limit:
        yield (
            ("shared", line),
            f"needs at least {needed} bytes of shared memory; a block has {shared_limit}",
        )
    fragments = {buffer.name: buffer for buffer in _buffers(function, "alloc_fragment", known)}
    for fragment in fragments.values() if threads else ():
        registers = fragment.elements * fragment.bytes_each // 4 // (threads or 1)
        if registers > MAX_REGISTERS_PER_THREAD:
            yield (
                ("registers", line),
                f"{fragment.name} alone takes {registers} registers of each of {threads} threads; "
                f"a thread has {MAX_REGISTERS_PER_THREAD}",
            )
    for result in _gemm_results(function):
        if threads and threads % WARP_SIZE == 0 and result in fragments and len(fragments[result].shape) == 2:
            rows, columns = fragments[result].shape
            if not _warps_divide(rows, columns, threads // WARP_SIZE):
                yield (
                    ("partition", line),
                    f"T.gemm into {rows} x {columns} can't be split among {threads // WARP_SIZE} warps "
                    f"of {_WARP_ROWS} x {_WARP_COLUMNS} tiles",
                )


def _warps_divide(rows: int, columns: int, warps: int) -> bool:
    return any(
        warps % down == 0 and rows % (_WARP_ROWS * down) == 0 and columns % (_WARP_COLUMNS * (warps // down)) == 0
        for down in range(1, warps + 1)
    )


def _shared_bytes(function: Function, shared: Mapping[str, _Buffer], known: _Values) -> int:
    """The most that is certainly alive at once: all that one loop touches, or the largest single buffer.

    A buffer that is copied into inside `T.Pipelined` exists once for each stage (measured with tilelang 0.1.15
    for sm_80 and sm_90a: num_stages 0 and 1 need one, 4 need four).
    """
    most = max((buffer.elements * buffer.bytes_each for buffer in shared.values()), default=0)
    for loop in own_nodes(function):
        if not (
            isinstance(loop, ast.For)
            and isinstance(loop.iter, ast.Call)
            and isinstance(loop.iter.func, ast.Attribute)
        ):
            continue
        if loop.iter.func.attr != "Pipelined":
            continue
        stages = next((_evaluate(k.value, known) for k in loop.iter.keywords if k.arg == "num_stages"), None)
        versions = max(1, stages) if isinstance(stages, int) else 1
        filled = {_base(call.args[1]) for call in _calls(loop, "copy") if len(call.args) > 1}
        touched = {node.id for node in ast.walk(loop) if isinstance(node, ast.Name)}
        total = 0
        for buffer in (shared[name] for name in touched & shared.keys()):
            total += buffer.elements * buffer.bytes_each * (versions if buffer.name in filled else 1)
        most = max(most, total)
    return most


def _buffers(function: Function, allocator: str, known: _Values) -> Iterator[_Buffer]:
    """Buffers whose shape and type the source tells."""
    for node in own_nodes(function):
        if not (isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)):
            continue
        for call in _calls(node.value, allocator):
            shape = call.args[0] if call.args else None
            if not isinstance(shape, (ast.Tuple, ast.List)):
                continue
            sizes = [_evaluate(size, known) for size in shape.elts]
            dtype = (
                call.args[1]
                if len(call.args) > 1
                else next((k.value for k in call.keywords if k.arg == "dtype"), None)
            )
            width = _BYTES.get(_dtype_name(dtype, known)) if dtype is not None else None
            if width is not None and all(isinstance(size, int) and size > 0 for size in sizes):
                yield _Buffer(node.targets[0].id, tuple(s for s in sizes if isinstance(s, int)), width)


def _uneven_divisions(scopes: Sequence[Function | None], known: _Values) -> Iterator[tuple[_Rule, str]]:
    """`block // threads` where both are known: a kernel that shares work out so drops what is left over."""
    for node in (node for scope in scopes if scope is not None for node in own_nodes(scope)):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.FloorDiv):
            left, right = _evaluate(node.left, known), _evaluate(node.right, known)
            if isinstance(left, int) and isinstance(right, int) and right > 0 and left % right:
                yield ("division", node.lineno), f"{left} // {right} on line {node.lineno} leaves a remainder"


def _gemm_results(function: Function) -> Iterator[str]:
    for call in _calls(function, "gemm"):
        result = call.args[2] if len(call.args) > 2 else next((k.value for k in call.keywords if k.arg == "C"), None)
        if isinstance(result, ast.Name):
            yield result.id


def _threads(launch: ast.Call, known: _Values) -> int | None:
    given = next((keyword.value for keyword in launch.keywords if keyword.arg == "threads"), None)
    if given is None:
        return _DEFAULT_THREADS
    axes = given.elts if isinstance(given, (ast.Tuple, ast.List)) else [given]
    counts = [_evaluate(axis, known) for axis in axes]
    return math.prod(c for c in counts if isinstance(c, int)) if all(isinstance(c, int) for c in counts) else None


def _calls(node: ast.AST, name: str) -> Iterator[ast.Call]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute) and inner.func.attr == name:
            yield inner


def _base(node: ast.expr) -> str:
    while isinstance(node, ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


# ---------------------------------------------------------------- values that the source tells


def _known_values(module: Module, function: Function) -> _Values:
    """Names that stand for one known number or string where a kernel reads them, inner functions last."""
    known: dict[str, int | str] = {}
    around: list[Function | None] = [function]
    while around[-1] is not None:
        around.append(module.scope(around[-1]))
    for scope in reversed(around):
        if scope is not None:
            arguments = [*scope.args.posonlyargs, *scope.args.args, *scope.args.kwonlyargs]
            for argument in arguments:
                known.pop(argument.arg, None)
                values = {origin.value for origin in module.of_parameter(scope, argument.arg)}
                if len(values) == 1:
                    known[argument.arg] = values.pop()
            known.update(_string_defaults(scope))
        assigned: set[str] = set()
        for node in own_nodes(scope if scope is not None else module.tree):
            for target, value in _assignments(node):
                result = None if target in assigned else _evaluate(value, known) if value is not None else None
                assigned.add(target)
                known.pop(target, None)
                if result is not None:
                    known[target] = result
    return known


def _assignments(node: ast.AST) -> Iterator[tuple[str, ast.expr | None]]:
    if isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Name):
                yield target.id, node.value
            elif isinstance(target, ast.Tuple):
                values = node.value.elts if isinstance(node.value, ast.Tuple) else []
                for index, element in enumerate(target.elts):
                    if isinstance(element, ast.Name):
                        yield element.id, values[index] if len(values) == len(target.elts) else None
    elif isinstance(node, (ast.AugAssign, ast.For)):
        for part in ast.walk(node.target):
            if isinstance(part, ast.Name):
                yield part.id, None


def _string_defaults(function: Function) -> dict[str, int | str]:
    """`dtype="float16"`: calls hardly ever pass another, and another could only be the same size or larger."""
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    pairs = [
        *zip(reversed(positional), reversed(arguments.defaults)),
        *zip(arguments.kwonlyargs, arguments.kw_defaults),
    ]
    return {
        argument.arg: default.value
        for argument, default in pairs
        if isinstance(default, ast.Constant) and isinstance(default.value, str)
    }


_OPERATORS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
}  # fmt: skip


def _evaluate(node: ast.expr, known: _Values) -> int | str | None:
    """The value of an expression of numbers, known names, + - * // %, min, max and ceildiv; else None."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, (int, str)) else None
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        left, right = _evaluate(node.left, known), _evaluate(node.right, known)
        if not (isinstance(left, int) and isinstance(right, int)):
            return None
        if isinstance(node.op, (ast.FloorDiv, ast.Mod)) and right == 0:
            return None
        return _OPERATORS[type(node.op)](left, right)
    if isinstance(node, ast.Call) and not node.keywords:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        values = [_evaluate(argument, known) for argument in node.args]
        numbers = [value for value in values if isinstance(value, int)]
        if len(numbers) != len(values) or not numbers:
            return None
        if name in ("min", "max"):
            return min(numbers) if name == "min" else max(numbers)
        if name in ("ceildiv", "cdiv") and len(numbers) == 2 and numbers[1]:
            return -(-numbers[0] // numbers[1])
    return None


def _dtype_name(node: ast.expr, known: _Values) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    value = _evaluate(node, known)
    return value if isinstance(value, str) else ""
