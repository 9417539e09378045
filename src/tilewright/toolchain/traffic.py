"""How much does a kernel compute, and how much device memory does it move, as it is written?

Counted on the function before TileLang lowers it, over the whole grid, for one launch:

- global bytes are what the blocks ask of device memory. One block's threads asking for the same address at once count
  once, and so does a load that does not change in the loops around it (nvcc lifts it out, or L1 answers). A tile copy
  counts each time it is made. Two blocks asking for the same address count twice; caches are the time model's affair.
- tensor bytes are what global bytes would be if the launch read and wrote each value once: what each tensor holds, or
  what is asked of it where that is less; once for reading, once for writing.
- flops count a multiply-add as two and a call of the mathematical library as its rough number of instructions.
- an extent that depends on outer loops or blocks counts with its mean; one that depends on data, or a `while`, makes
  the counts unknown.

Not seen: memory touched inside inlined CUDA, and what the compiler adds (spills, padding, recomputation)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import tilelang  # noqa: F401  (puts the bundled tvm on the import path)
from tvm import tirx

from tilewright.toolchain.arithmetic import children, flops_of_node
from tilewright.toolchain.coalescing import Access, distinct_share, sector_share, tile_share
from tilewright.toolchain.indexmath import Axis, mean_of, mean_overlap, range_of, share_of
from tilewright.toolchain.tir import (
    Region,
    Way,
    is_launch,
    is_zero,
    itemsize,
    loop_kind,
    nodes,
    op_is,
    op_name,
    variables,
)

_HEAVY = 0.1  # an access that asks for less than this share of the kernel's bytes is not worth a finding
_INDEPENDENT_AT_ONCE = 4  # nvcc unrolls a loop whose length it does not unroll in full by four
_DEFAULT_THREADS = (128, 1, 1)  # T.Kernel without threads= on CUDA
_COPIES = {"copy", "async_copy", "tma_copy"}
_GEMMS = {"gemm", "gemm_py", "wgmma_gemm", "tcgen05_gemm", "mma_gemm_blockscaled", "gemm_sp"}


@dataclass(frozen=True)
class Traffic:
    """The counts of one T.Kernel. The bytes and the flops are None where a loop's length is not known.

    `coalescing` is that of the worst access that asks for a tenth or more of the bytes; None where there is none.
    `pipelined` says that the source asks for copies in stages, `multiplies_tiles` that it calls T.gemm."""

    flops: float | None
    matmul_flops: float | None
    global_bytes: float | None
    tensor_bytes: float | None
    atomics: float | None
    serial_depth: float | None
    coalescing: float | None
    pipelined: bool
    multiplies_tiles: bool
    grid: tuple[int, int, int]


def traffic(prim_func: tirx.PrimFunc, sizes: Mapping[tirx.Var, int]) -> list[Traffic]:
    """The counts of each T.Kernel of a function, in order. `sizes` are its symbolic sizes."""
    known = {var: tirx.IntImm(str(var.dtype), value) for var, value in sizes.items()}
    body = tirx.stmt_functor.substitute(prim_func.body, known) if known else prim_func.body
    while isinstance(body, tirx.SBlockRealize):
        body = body.block.body
    statements = body.seq if isinstance(body, tirx.SeqStmt) else [body]
    on_host = {stmt.var: stmt.value for stmt in statements if isinstance(stmt, tirx.Bind)}
    return [_Walk(known, dict(on_host)).launch(stmt) for stmt in statements if is_launch(stmt)]


@dataclass(frozen=True)
class _At:
    """Where the walk is: the axes around it in order, and the conditions that hold there."""

    axes: tuple[Axis, ...] = ()
    conditions: tuple[Any, ...] = ()

    def inside(self, axis: Axis) -> _At:
        return replace(self, axes=(*self.axes, axis))

    def given(self, condition: Any) -> _At:
        return replace(self, conditions=(*self.conditions, condition))

    @property
    def in_parallel(self) -> bool:
        """Whether the threads share the iterations out, rather than each running all of them."""
        return any(axis.kind == "parallel" for axis in self.axes)


@dataclass
class _Walk:
    sizes: Mapping[tirx.Var, tirx.IntImm]
    bound: dict[tirx.Var, Any]
    threads: tuple[int, int, int] = _DEFAULT_THREADS
    flops: float = 0.0
    matmul_flops: float = 0.0
    asked: dict[tuple[tirx.Var, Way], float] = field(default_factory=dict)
    held: dict[tirx.Var, float] = field(default_factory=dict)
    atomics: float = 0.0
    known: bool = True
    pipelined: bool = False
    multiplies_tiles: bool = False
    accesses: list[Access] = field(default_factory=list)
    loaded: set[tuple[str, str, tuple[Axis, ...]]] = field(default_factory=set)

    def launch(self, stmt: tirx.For) -> Traffic:
        for node in nodes(stmt):
            if isinstance(node, tirx.SBlock) and "tl.launch_threads" in node.annotations:
                given = [int(n) for n in node.annotations["tl.launch_threads"]]
                self.threads = (given + [1, 1, 1])[0], (given + [1, 1, 1])[1], (given + [1, 1, 1])[2]
        depth = self.statement(stmt, _At())
        return Traffic(
            flops=self.flops + self.matmul_flops if self.known else None,
            matmul_flops=self.matmul_flops if self.known else None,
            global_bytes=sum(self.asked.values()) if self.known else None,
            tensor_bytes=self._once() if self.known else None,
            atomics=self.atomics if self.known else None,
            serial_depth=depth if self.known else None,
            coalescing=self._worst(),
            pipelined=self.pipelined,
            multiplies_tiles=self.multiplies_tiles,
            grid=self._grid(stmt),
        )

    def _grid(self, stmt: Any) -> tuple[int, int, int]:
        extents = {"x": 1, "y": 1, "z": 1}
        while is_launch(stmt):
            extents[str(stmt.thread_binding.thread_tag)[-1]] = round(self._extent(stmt.extent, _At()))
            stmt = stmt.body
        return extents["x"], extents["y"], extents["z"]

    def statement(self, stmt: Any, at: _At) -> float:
        """Count a statement; its longest chain of dependent iterations is returned."""
        if isinstance(stmt, tirx.SeqStmt):
            return self._sequence(stmt, at)
        if isinstance(stmt, tirx.For):
            return self._loop(stmt, at)
        if isinstance(stmt, tirx.SBlockRealize):
            return self.statement(stmt.block.body, at)
        if isinstance(stmt, tirx.IfThenElse):
            return self._branch(stmt, at)
        if isinstance(stmt, tirx.While):
            self.known = False
            return self.statement(stmt.body, at)
        if isinstance(stmt, tirx.Bind):
            self._bind(stmt, at)
        elif isinstance(stmt, tirx.BufferStore):
            self._store(stmt, at)
        elif isinstance(stmt, tirx.Evaluate):
            self._evaluate(stmt.value, at)
        elif isinstance(stmt, tirx.AttrStmt):
            return self.statement(stmt.body, at)
        return 0.0

    # ------------------------------------------------------------ control flow

    def _sequence(self, stmt: tirx.SeqStmt, at: _At) -> float:
        depth = 0.0
        for part in stmt.seq:
            depth += self.statement(part, at)
            if isinstance(part, tirx.Bind) and op_is(part.value, "tl.launch_thread_idx"):
                dimension = int(part.value.args[0])
                at = at.inside(Axis(part.var, self.threads[dimension], "thread"))
        return depth

    def _loop(self, stmt: tirx.For, at: _At) -> float:
        kind = loop_kind(stmt)
        extent = self._extent(stmt.extent, at)
        if stmt.annotations and int(stmt.annotations.get("num_stages", 0)) >= 1:
            self.pipelined = True
        if stmt.min is not None and not is_zero(stmt.min):
            axis = Axis(tirx.Var(f"{stmt.loop_var.name}_from_zero", stmt.loop_var.dtype), extent, kind)
            self.bound[stmt.loop_var] = axis.var + self._resolved(stmt.min)
        else:
            axis = Axis(stmt.loop_var, extent, kind)
        inner = self.statement(stmt.body, at.inside(axis))
        if kind != "serial":
            return inner
        if inner or _carries(stmt):
            return extent * max(1.0, inner)
        return extent / _INDEPENDENT_AT_ONCE

    def _extent(self, expr: Any, at: _At) -> float:
        mean = mean_of(self._resolved(expr), at.axes)
        if mean is None:
            self.known = False
            return 1.0
        return max(0.0, mean)

    def _branch(self, stmt: tirx.IfThenElse, at: _At) -> float:
        condition = self._resolved(stmt.condition)
        self._value(stmt.condition, at)
        depth = self.statement(stmt.then_case, at.given(condition))
        if stmt.else_case is not None:
            depth = max(depth, self.statement(stmt.else_case, at.given(tirx.Not(condition))))
        return depth

    def _bind(self, stmt: tirx.Bind, at: _At) -> None:
        if op_is(stmt.value, "tl.launch_thread_idx"):
            return
        self._value(stmt.value, at)
        if not any(isinstance(node, tirx.BufferLoad) for node in nodes(stmt.value)):
            self.bound[stmt.var] = self._resolved(stmt.value)

    def _resolved(self, expr: Any) -> Any:
        if isinstance(expr, (int, float)):
            return expr
        return tirx.stmt_functor.substitute(expr, self.bound) if self.bound else expr

    # ------------------------------------------------------------ scalar work

    def _store(self, stmt: tirx.BufferStore, at: _At) -> None:
        self._value(stmt.value, at)
        for index in stmt.indices:
            self._value(index, at)
        if stmt.buffer.scope() == "global":
            self._access(stmt.buffer, list(stmt.indices), at, every_iteration=True, ways=("written",))

    def _value(self, expr: Any, at: _At) -> None:
        """Count the arithmetic and the loads of an expression."""
        if op_is(expr, "tirx.if_then_else"):
            condition = self._resolved(expr.args[0])
            self._value(expr.args[0], at)
            self._value(expr.args[1], at.given(condition))
            self._value(expr.args[2], at.given(tirx.Not(condition)))
            return
        if isinstance(expr, tirx.BufferLoad):
            for index in expr.indices:
                self._value(index, at)
            if expr.buffer.scope() == "global":
                self._load(expr, at)
            return
        self.flops += flops_of_node(expr) * (self._runs(at) if flops_of_node(expr) else 0.0)
        for child in children(expr):
            self._value(child, at)

    def _runs(self, at: _At) -> float:
        """How often a statement runs: by every thread, unless the threads share a T.Parallel out."""
        count = math.prod(axis.extent for axis in at.axes if axis.kind != "thread")
        if not at.in_parallel:
            count *= math.prod(self.threads)
        return count * share_of(at.conditions, at.axes)

    def _load(self, load: tirx.BufferLoad, at: _At) -> None:
        """Count a load, unless the same address was loaded in the same place before: nvcc keeps the value."""
        key = (str(load.buffer.data), str([self._resolved(i) for i in load.indices]), at.axes)
        if key not in self.loaded:
            self.loaded.add(key)
            self._access(load.buffer, list(load.indices), at, every_iteration=False, ways=("read",))

    def _access(
        self,
        buffer: tirx.Buffer,
        indices: list[Any],
        at: _At,
        every_iteration: bool,
        ways: Sequence[Way],
        width: int = 1,
    ) -> None:
        """`width` elements, in each of the ways."""
        resolved = [self._resolved(index) for index in indices]
        moving = {axis.var for axis in at.axes} & variables(resolved)
        if _reads_local_memory(resolved):  # a value that the thread computed changes in every loop
            moving |= {axis.var for axis in at.axes if axis.kind == "serial" or not at.in_parallel}
        counted = [axis for axis in at.axes if _counts(axis, at.axes, moving, every_iteration)]
        conditions = [
            condition
            for condition in (*at.conditions, *self._bounds(buffer, resolved, at))
            if variables([condition]) <= {axis.var for axis in counted} | _serial(at)
        ]
        size = itemsize(buffer.dtype)
        strides = self._strides(buffer)
        lanes = [axis for axis in counted if axis.kind in ("thread", "parallel", "vector")]
        distinct = distinct_share(resolved, strides, lanes, at.axes)
        count = math.prod(axis.extent for axis in counted) * share_of(conditions, at.axes)
        self._ask(buffer, ways, count * distinct * width * size)
        asked = self._runs(at) * size
        self.accesses.append(Access(asked, sector_share(resolved, strides, size, at.axes, at.in_parallel)))

    def _bounds(self, buffer: tirx.Buffer, indices: Sequence[Any], at: _At) -> list[Any]:
        """That the indices are inside the buffer, where they can leave it: TileLang guards such accesses."""
        conditions = []
        for index, extent in zip(indices, self._shape(buffer)):
            taken = range_of(index, at.axes)
            if taken is not None and taken[0] < 0:
                conditions.append(index >= 0)
            if taken is not None and taken[1] >= extent:
                conditions.append(index < extent)
        return conditions

    # ------------------------------------------------------------ tile operations and other calls

    def _evaluate(self, call: Any, at: _At) -> None:
        if not isinstance(call, tirx.Call):
            return
        name = op_name(call)
        if name.startswith("tl.tileop."):
            self._tile_operation(name.removeprefix("tl.tileop."), call, at)
        elif "atomic" in name:
            self._scalar_atomic(name, call, at)
        else:
            for argument in call.args:
                self._value(argument, at)

    def _tile_operation(self, name: str, call: tirx.Call, at: _At) -> None:
        repeats = math.prod(axis.extent for axis in at.axes if axis.kind not in ("thread", "parallel"))
        repeats *= share_of(at.conditions, at.axes)
        regions = [Region.of(argument) for argument in call.args if op_is(argument, "tl.region")]
        if name in _GEMMS:
            self.multiplies_tiles = True
            m, n, k = (self._extent(argument, at) for argument in call.args[5:8])
            self.matmul_flops += 2.0 * m * n * k * repeats
        elif name.startswith("atomic"):
            target = regions[-1]
            elements = self._elements(target, at) * repeats
            self.flops += elements
            if target.buffer.scope() == "global":
                self.atomics += elements
                self._ask(target.buffer, ("read", "written"), elements * itemsize(target.buffer.dtype))
        elif name in _COPIES:
            for region in regions:
                self._move(region, at, repeats)
        elif "im2col" in name and len(regions) >= 2:
            self._move(replace(regions[0], extents=regions[1].extents), at, repeats)
        elif name == "fill":
            for region in regions:
                self._move(region, at, repeats)
        elif regions:
            self.flops += max(self._elements(region, at) for region in regions) * repeats
            for region in regions:
                self._move(region, at, repeats)

    def _move(self, region: Region, at: _At, repeats: float) -> None:
        if region.buffer.scope() != "global":
            return
        size = itemsize(region.buffer.dtype)
        moved = self._elements(region, at) * size * repeats
        self._ask(region.buffer, region.ways, moved)
        shape = self._shape(region.buffer)
        extents = [self._extent(extent, at) for extent in region.extents]
        self.accesses.append(Access(moved, tile_share(extents, shape, size)))

    def _elements(self, region: Region, at: _At) -> float:
        """Mean number of elements of a region that are inside the buffer."""
        extents = [self._extent(extent, at) for extent in region.extents]
        if region.buffer.scope() != "global":
            return math.prod(extents)
        boxes = zip(region.offsets, extents, self._shape(region.buffer))
        return math.prod(
            mean_overlap(self._resolved(offset), extent, size, at.conditions, at.axes)
            for offset, extent, size in boxes
        )

    def _scalar_atomic(self, name: str, call: tirx.Call, at: _At) -> None:
        for argument in call.args[1:]:
            self._value(argument, at)
        pointer = call.args[0]
        load = next((node for node in nodes(pointer) if isinstance(node, tirx.BufferLoad)), None)
        width = 4 if "x4" in name else 2 if "x2" in name else 1
        if load is None or load.buffer.scope() != "global":
            return
        self.atomics += self._runs(at) * width
        self._access(load.buffer, list(load.indices), at, every_iteration=True, ways=("read", "written"), width=width)
        self.accesses.pop()  # atomics are served by L2; they are counted on their own

    # ------------------------------------------------------------ sizes

    def _ask(self, buffer: tirx.Buffer, ways: Sequence[Way], size: float) -> None:
        """Note that `size` bytes of a tensor are moved in each of the ways."""
        for way in ways:
            self.asked[buffer.data, way] = self.asked.get((buffer.data, way), 0.0) + size
        holds = math.prod(self._shape(buffer)) * itemsize(buffer.dtype)
        self.held[buffer.data] = max(holds, self.held.get(buffer.data, 0.0))

    def _once(self) -> float:
        return sum(min(asked, self.held[tensor]) for (tensor, _), asked in self.asked.items())

    def _shape(self, buffer: tirx.Buffer) -> list[float]:
        return [self._constant(extent) for extent in buffer.shape]

    def _strides(self, buffer: tirx.Buffer) -> list[float]:
        if len(buffer.strides):
            return [self._constant(stride) for stride in buffer.strides]
        shape = self._shape(buffer)
        return [math.prod(shape[i + 1 :]) for i in range(len(shape))]

    def _constant(self, expr: Any) -> float:
        value = mean_of(tirx.stmt_functor.substitute(expr, dict(self.sizes)) if self.sizes else expr, ())
        if value is None:
            self.known = False
            return 1.0
        return value

    def _worst(self) -> float | None:
        total = sum(access.bytes for access in self.accesses)
        heavy = [a.share for a in self.accesses if a.share is not None and a.bytes >= _HEAVY * total > 0]
        return min(heavy, default=None)


def _reads_local_memory(indices: Sequence[Any]) -> bool:
    loads = [node for index in indices for node in nodes(index) if isinstance(node, tirx.BufferLoad)]
    return any(load.buffer.scope() != "global" for load in loads)


def _carries(loop: tirx.For) -> bool:
    """Whether an iteration needs the one before it: it accumulates, or works on tiles, which it reuses."""
    for node in nodes(loop.body):
        if isinstance(node, tirx.Call) and op_name(node).startswith("tl.tileop."):
            return True
        if not isinstance(node, tirx.BufferStore) or node.buffer.scope() == "global":
            continue
        read = [n for n in nodes(node.value) if isinstance(n, tirx.BufferLoad)]
        accumulates = any(load.buffer.same_as(node.buffer) for load in read)
        if accumulates and loop.loop_var not in variables(node.indices):
            return True
    return False


def _counts(axis: Axis, axes: Sequence[Axis], moving: set[tirx.Var], every_iteration: bool) -> bool:
    """Whether an axis multiplies the distinct addresses that one block asks for."""
    if axis.kind == "block" or axis.var in moving:
        return True
    if axis.kind != "serial":
        return False
    later = axes[axes.index(axis) + 1 :]
    return every_iteration or any(other.kind == "serial" and other.var in moving for other in later)


def _serial(at: _At) -> set[tirx.Var]:
    return {axis.var for axis in at.axes if axis.kind in ("serial", "block")}
