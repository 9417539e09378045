"""How is a function with its launches run on tensors: which blocks, how many at once?

All thread blocks of a launch run in lock step, in chunks small enough that a tile over all blocks of a chunk
stays in cache. Host statements around the launches run in order."""

from __future__ import annotations

import itertools
import math
import random
import time
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from tilewright.interpreter import barriers, intrinsics, loops, statements, tileops, tir
from tilewright.interpreter.compiler import Axis, Program, Scope, compile_expression, compile_statement
from tilewright.interpreter.frame import Frame, Journal
from tilewright.interpreter.memory import Storage, global_storage, scope_of
from tilewright.interpreter.ordering import check_fetches, note_differences, note_one_order
from tilewright.interpreter.report import Report, Unsupported
from tilewright.interpreter.tir import tirx
from tilewright.interpreter.values import OUTSIDE, compute_dtype, thread_axis
from tilewright.toolchain.arguments import check_arguments

# These modules fill the compile tables.
_TABLES = (barriers, intrinsics, loops, statements, tileops)

LANE_BUDGET = 1 << 20  # elements of the largest value or tile over all blocks of a chunk: 4 MiB in float32


def run(
    prim_func: tir.PrimFunc,
    *tensors: Any,
    blocks: Sequence[int] | None = None,
    seed: int = 0,
    deadline_s: float | None = None,
) -> Report:
    """Execute on all parameters in order, in place; outputs are allocated (and poisoned) by the caller.

    `blocks` limits the last launch to those thread blocks (linear ids, x fastest); what the others would
    write stays as it was. `seed` shuffles the order in which groups of blocks run (0: by id); no right kernel's
    result depends on it beyond rounding. Raises `Fault`, `Unsupported`, `DeadlineExceeded`, and `ArgumentError`
    for arguments that the launcher would refuse."""
    check_arguments(prim_func, tensors)
    journal, fetches = Journal(deadline_s), tir.fetches(prim_func)
    if fetches:
        check_fetches(prim_func)
        if blocks is not None:
            raise Unsupported("previous values of atomics when not all thread blocks run")
    # Torch functions are not to be redirected to another device while the machine itself runs.
    with torch._C.DisableTorchFunction(), torch.no_grad():
        copies = [x.clone() if isinstance(x, Tensor) else x for x in tensors] if fetches else []
        host = _Host(prim_func, tensors, journal, seed)
        host.run_all(prim_func, blocks)
        if fetches and not journal.has_time_for(2 * (time.perf_counter() - journal.started)):
            note_one_order(journal)
        elif fetches:
            _Host(prim_func, copies, journal, seed, backwards=True).run_all(prim_func, None)
            note_differences(prim_func, tensors, copies, journal)
    return Report(host.blocks_run, host.blocks_total, journal.problems, time.perf_counter() - journal.started)


def grid_of(prim_func: tir.PrimFunc, *tensors: Any) -> tuple[int, int, int]:
    """Thread blocks of the last launch along x, y and z."""
    host = _Host(prim_func, tensors, Journal(None), seed=0)
    extents = [1, 1, 1]
    for stmt in _statements(tir.host_body(prim_func)):
        if tir.is_launch(stmt):
            extents = host.grid(tir.launch_of(stmt))
        else:
            host.execute(stmt, None)
    return extents[0], extents[1], extents[2]


def sample_blocks(total: int, extents: Sequence[int], count: int, seed: int) -> list[int]:
    """At most `count` of `total` linear block ids (x fastest): the corners of the grid, first and last before
    the others, then random ones."""
    if count >= total:
        return list(range(total))
    places = [sorted({0, extent - 1}) for extent in extents]
    corners = sorted({_linear(place, extents) for place in itertools.product(*places)})
    chosen = list(dict.fromkeys([0, total - 1, *corners]))[:count]
    rest = random.Random(seed).sample(range(total), min(total, count + len(chosen)))
    chosen += [block for block in rest if block not in chosen][: count - len(chosen)]
    return sorted(chosen)


def _linear(place: Sequence[int], extents: Sequence[int]) -> int:
    number = 0
    for index, extent in zip(reversed(list(place)), reversed(list(extents))):
        number = number * extent + index
    return number


def _statements(body: tir.Stmt) -> list[tir.Stmt]:
    if isinstance(body, tirx.SeqStmt):
        return [part for stmt in body.seq for part in _statements(stmt)]
    if isinstance(body, tirx.SBlockRealize):
        return _statements(body.block.body)
    if isinstance(body, tirx.AttrStmt):
        return _statements(body.body)
    return [body]


class _Host:
    """The host side of one call: values of parameters and symbolic sizes, global memory, statements in order."""

    def __init__(
        self, prim_func: tir.PrimFunc, tensors: Sequence[Any], journal: Journal, seed: int, *, backwards: bool = False
    ) -> None:
        self._journal = journal
        self._seed = seed
        self._backwards = backwards
        self._chance = torch.Generator().manual_seed(seed)
        self._program = Program(threads=(1, 1, 1))
        self._env: dict[int, Any] = {}
        self._memory: dict[int, Storage] = {}
        self.blocks_run = 0
        self.blocks_total = 0
        for param, value in zip(prim_func.params, tensors):
            buffer = prim_func.buffer_map.get(param)
            if buffer is None:
                self._env[self._program.slot(param)] = value
                continue
            slot = self._program.slot(buffer.data)
            self._memory[slot] = global_storage(value)
            self._program.dtypes[slot] = str(buffer.dtype)
            for symbols, numbers in ((buffer.shape, value.shape), (buffer.strides, value.stride())):
                for symbol, number in zip(symbols, numbers):
                    if isinstance(symbol, tirx.Var):
                        self._env.setdefault(self._program.slot(symbol), int(number))

    def run_all(self, prim_func: tir.PrimFunc, blocks: Sequence[int] | None) -> None:
        launches = _statements(tir.host_body(prim_func))
        last = max((i for i, stmt in enumerate(launches) if tir.is_launch(stmt)), default=-1)
        for number, stmt in enumerate(launches):
            self.execute(stmt, blocks if number == last else None)

    def execute(self, stmt: tir.Stmt, blocks: Sequence[int] | None) -> None:
        if tir.is_launch(stmt):
            self._launch(tir.launch_of(stmt), blocks)
        elif isinstance(stmt, tirx.Bind):
            self._env[self._program.slot(stmt.var)] = self._evaluate(stmt.value)
        elif not (isinstance(stmt, tirx.Evaluate) and isinstance(stmt.value, tirx.IntImm)):
            raise Unsupported(f"host statement {type(stmt).__name__}")

    def grid(self, launch: tir.Launch) -> list[int]:
        extents = [1, 1, 1]
        for axis in launch.grid:
            extents[axis.dimension] = int(self._evaluate(axis.extent))
        return extents

    def _evaluate(self, expr: tir.Expr) -> Any:
        code = compile_expression(expr, Scope(self._program, 0, {}))
        return code(self._frame(torch.zeros(1, dtype=torch.int64), whole_grid=False))

    def _frame(self, ids: Tensor, whole_grid: bool) -> Frame:
        return Frame(dict(self._env), dict(self._memory), ids, self._journal, self._draw, whole_grid)

    def _draw(self, lanes: int) -> Tensor:
        order = torch.randperm(lanes, generator=self._chance)
        return order.flip(0) if self._backwards else order

    def _launch(self, launch: tir.Launch, blocks: Sequence[int] | None) -> None:
        extents = self.grid(launch)
        total = math.prod(extents)
        ids = torch.arange(total)
        if blocks is not None:
            ids = torch.tensor(sorted({block for block in blocks if 0 <= block < total}), dtype=torch.int64)
        self.blocks_total += total
        self.blocks_run += int(ids.numel())
        program = Program(
            launch.threads,
            launch.thread_vars,
            launch.reducers,
            launch.safe_values,
            self._program.slots,
            self._program.dtypes,
        )
        program.fixed.update(var for var, slot in program.slots.items() if slot in self._env)
        program.fixed.update(axis.var for axis in launch.grid)
        axes = {}
        for var, dimension in launch.thread_vars.items():
            axes[var] = Axis(thread_axis(dimension), launch.threads[dimension])
        scope = Scope(program, OUTSIDE, axes)
        self._allocate_workspaces(launch, program)
        action = compile_statement(launch.body, scope)
        at_once = max(1, LANE_BUDGET // _largest_value(launch, program.thread_count))
        chunks = [chunk for chunk in _chunks(ids, extents, at_once) if chunk.numel()]
        if self._seed:
            random.Random(self._seed).shuffle(chunks)
        if self._backwards:
            chunks.reverse()
        for chunk in chunks:
            self._journal.check_deadline()
            frame = self._frame(chunk, whole_grid=chunk.numel() == total)
            for axis in launch.grid:
                place = (chunk // math.prod(extents[: axis.dimension])) % extents[axis.dimension]
                frame.env[program.slot(axis.var)] = int(place) if chunk.numel() == 1 else place.reshape(-1, 1)
            action(frame)
        for storage in self._memory.values():
            storage.owners = None

    def _allocate_workspaces(self, launch: tir.Launch, program: Program) -> None:
        """T.alloc_global: memory that all blocks share."""
        for node in tir.nodes(launch.body):
            for buffer in node.alloc_buffers if isinstance(node, tirx.SBlock) else ():
                if scope_of(buffer) == "global":
                    shape = [int(self._evaluate(extent)) for extent in buffer.shape]
                    tensor = torch.full(shape, math.nan).to(compute_dtype(str(buffer.dtype)))
                    self._memory[program.slot(buffer.data)] = global_storage(tensor)


def _chunks(ids: Tensor, extents: Sequence[int], at_once: int) -> Iterator[Tensor]:
    """The blocks in groups that run in lock step. In large grids those at the far edges, which tend to reach out of
    bounds, go apart, and groups end with a row: both keep the accesses of a group one strided view."""
    if 4 * ids.numel() <= at_once or ids.numel() < math.prod(extents):
        yield from ids.split(at_once)
        return
    edge = torch.zeros(ids.numel(), dtype=torch.bool)
    row = extents[0]
    for dimension, extent in enumerate(extents):
        if extent > 1:
            edge |= (ids // math.prod(extents[:dimension])) % extent == extent - 1
            row -= dimension == 0
    if row >= at_once:
        for line in ids[~edge].view(-1, row):
            yield from line.split(at_once)
    else:
        yield from ids[~edge].split(at_once // row * row)
    yield from ids[edge].split(at_once)


def _largest_value(launch: tir.Launch, threads: int) -> int:
    """Elements of the largest tile or value of one block."""
    largest = threads
    for node in tir.nodes(launch.body):
        if isinstance(node, tirx.SBlock):
            for buffer in node.alloc_buffers:
                sizes = [tir.constant(extent) or 1 for extent in buffer.shape]
                each = threads if scope_of(buffer) in ("local", "local.var") else 1
                largest = max(largest, math.prod(sizes) * each)
    return max(largest, _largest_nest(launch.body, 1))


def _largest_nest(stmt: tir.Stmt, lanes: int) -> int:
    """Iterations of the largest nest of parallel loops."""
    if isinstance(stmt, tirx.SeqStmt):
        return max((_largest_nest(part, lanes) for part in stmt.seq), default=lanes)
    if isinstance(stmt, tirx.SBlockRealize):
        return _largest_nest(stmt.block.body, lanes)
    if isinstance(stmt, tirx.IfThenElse):
        cases = [stmt.then_case] if stmt.else_case is None else [stmt.then_case, stmt.else_case]
        return max(_largest_nest(case, lanes) for case in cases)
    if isinstance(stmt, tirx.For):
        extent = tir.constant(stmt.extent) if stmt.kind == tirx.ForKind.PARALLEL else None
        return _largest_nest(stmt.body, lanes * (extent or 1))
    if isinstance(stmt, (tirx.AttrStmt, tirx.While)):
        return _largest_nest(stmt.body, lanes)
    return lanes
