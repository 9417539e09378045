"""What of TileLang's and TVM's intermediate representation does the interpreter rely on?

Everything that changes with the TileLang version is here: node types, operator names, attribute keys, memory
scopes. Written for TileLang 0.1.15, which bundles TVM with the `tirx` dialect. The functions taken are those
that TileLang's parser makes, before any lowering pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import tilelang.ir  # before tvm: it puts the bundled one on the import path
from tvm import ir
from tvm import tirx as tirx

from tilewright.interpreter.report import Unsupported

PrimFunc: TypeAlias = tirx.PrimFunc
Buffer: TypeAlias = tirx.Buffer
Var: TypeAlias = tirx.Var
Call: TypeAlias = tirx.Call
For: TypeAlias = tirx.For
BufferLoad: TypeAlias = tirx.BufferLoad
# TVM's stubs do not describe the node classes.
Expr: TypeAlias = Any
Stmt: TypeAlias = Any

TILE_OP_PREFIX = "tl.tileop."
DEFAULT_THREADS = (128, 1, 1)  # T.Kernel without threads= on CUDA

_DIMENSION = {"x": 0, "y": 1, "z": 2}
_ACQUIRE_AND_RELEASE = (4, 5)  # memory_order="acq_rel" and "seq_cst" of an atomic


@dataclass(frozen=True)
class Region:
    """A box of a buffer: `extents` are numbers, or expressions where the size is symbolic."""

    buffer: Buffer
    offsets: list[Expr]
    extents: list[Any]


@dataclass(frozen=True)
class GridAxis:
    """One grid dimension (0 is x, which varies fastest) and the variable that holds a block's place in it."""

    var: Var
    extent: Expr
    dimension: int


@dataclass(frozen=True)
class Launch:
    """One T.Kernel: its grid, its threads and what each block does."""

    grid: list[GridAxis]
    threads: tuple[int, int, int]
    thread_vars: dict[Var, int]  # variable of T.get_thread_binding -> dimension
    reducers: dict[Var, str]  # data variable of a T.alloc_reducer -> "sum", "max", ...
    safe_values: dict[Var, float]  # data variable -> what reads out of bounds give (T.annotate_safe_value)
    body: Stmt


def host_body(func: PrimFunc) -> Stmt:
    """The statements around the launches, past the root block."""
    body = func.body
    while isinstance(body, tirx.SBlockRealize):
        body = body.block.body
    return body


def is_launch(stmt: Stmt) -> bool:
    return isinstance(stmt, tirx.For) and stmt.kind == tirx.ForKind.THREAD_BINDING


def launch_of(stmt: For) -> Launch:
    grid = []
    while is_launch(stmt):
        tag = str(stmt.thread_binding.thread_tag)
        if not tag.startswith("blockIdx."):
            raise Unsupported(f"a loop bound to {tag}")
        grid.append(GridAxis(stmt.loop_var, stmt.extent, _DIMENSION[tag[-1]]))
        stmt = stmt.body
    threads = DEFAULT_THREADS
    thread_vars: dict[Var, int] = {}
    reducers: dict[Var, str] = {}
    safe_values: dict[Var, float] = {}
    for node in nodes(stmt):
        if isinstance(node, tirx.SBlock):
            if "tl.launch_threads" in node.annotations:
                given = [int(n) for n in node.annotations["tl.launch_threads"]]
                threads = (given + [1, 1, 1])[0], (given + [1, 1, 1])[1], (given + [1, 1, 1])[2]
            for data, value in dict(node.annotations.get("safe_value_map", {})).items():
                safe_values[data] = float(value if isinstance(value, (int, float)) else value.value)
            for key in ("reducer_info", "reducer_info_v2"):
                for data, info in dict(node.annotations.get(key, {})).items():
                    reducers[data] = str(info["op"])
        elif (
            isinstance(node, tirx.Bind)
            and isinstance(node.value, tirx.Call)
            and op_name(node.value) == "tl.launch_thread_idx"
        ):
            thread_vars[node.var] = int(node.value.args[0])
    return Launch(grid, threads, thread_vars, reducers, safe_values, stmt)


def nodes(root: Any) -> Iterator[Any]:
    """Every statement and expression under `root`, children first."""
    found: list[Any] = []
    tirx.stmt_functor.post_order_visit(root if isinstance(root, tirx.Stmt) else tirx.Evaluate(root), found.append)
    return iter(found)


def variables(root: Any) -> set[Var]:
    return {node for node in nodes(root) if isinstance(node, tirx.Var)}


def is_fetch(node: Any) -> bool:
    """An atomic update that returns what it found: evaluating it twice would update twice."""
    return isinstance(node, tirx.Call) and op_name(node).endswith("_ret_elem_op")


def fetches(func: PrimFunc) -> bool:
    return any(map(is_fetch, nodes(func.body)))


def orders_memory(fetch: Call) -> bool:
    """Whether what blocks wrote before it can be seen by those whose turn at it comes later."""
    order = constant(fetch.args[2]) if len(fetch.args) > 2 else 0
    return order in _ACQUIRE_AND_RELEASE


def op_name(call: Call) -> str:
    return str(getattr(call.op, "name", call.op))


def constant(expr: Any) -> int | None:
    """The value of an integer literal, else None."""
    if isinstance(expr, tirx.IntImm):
        return int(expr)
    return int(expr) if isinstance(expr, int) else None


def annotations_of(node: Any) -> list[str]:
    """What a tile operation was told to do in its own way; of a cast "round", "sat", "rbits"."""
    return sorted(str(key) for key in dict(getattr(node, "annotations", None) or {}))


def line_of(stmt: Stmt) -> int | None:
    span = tilelang.ir.get_stmt_span(stmt)
    return None if span is None else int(span.line)


def region_of(arg: Any) -> Region:
    """The box that a tile operation's argument names; a single element where it is a load."""
    if isinstance(arg, tirx.BufferLoad):
        return Region(arg.buffer, list(arg.indices), [1] * len(arg.indices))
    if isinstance(arg, tirx.BufferRegion):
        return Region(arg.buffer, [r.min for r in arg.region], [_number(r.extent) for r in arg.region])
    load = arg.args[0]  # tl.region(load of the first element, access, extent...)
    return Region(load.buffer, list(load.indices), [_number(extent) for extent in arg.args[2:]])


def is_region(arg: Any) -> bool:
    return isinstance(arg, tirx.Call) and op_name(arg) == "tl.region"


def pointed_element(pointer: Any) -> BufferLoad | None:
    """The element that an access pointer (first argument of an element-wise atomic) points at."""
    load = pointer.args[0] if isinstance(pointer, tirx.Call) and len(pointer.args) else pointer
    return load if isinstance(load, tirx.BufferLoad) else None


def same_element(load: Any, buffer: Buffer, indices: Sequence[Expr]) -> bool:
    return (
        isinstance(load, tirx.BufferLoad)
        and load.buffer.data.same_as(buffer.data)
        and all(ir.structural_equal(mine, other) for mine, other in zip(load.indices, indices))
    )


def strides_of(buffer: Buffer) -> list[Expr]:
    """In elements; row-major where the buffer gives none."""
    if len(buffer.strides):
        return list(buffer.strides)
    strides: list[Expr] = []
    step: Expr = tirx.IntImm("int32", 1)
    for extent in reversed(list(buffer.shape)):
        strides.insert(0, step)
        step = step * extent
    return strides


def barrier_counts(block: Any) -> dict[Var, list[int]]:
    """Arrival counts of the mbarriers that a block allocates, by data variable."""
    found = dict(block.annotations.get("barrier_init", {}))
    return {data: [int(count) for count in counts] for data, counts in found.items()}


def _number(expr: Any) -> Any:
    value = constant(expr)
    return expr if value is None else value
