"""What does a TIR statement do, for all active lanes?

Lanes that take different branches run one after the other under a mask. Barriers between threads need
nothing: a statement ends for all lanes before the next begins. Pipelining and software pipelines are ignored,
as they must not change what is computed."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from tilewright.interpreter import tir
from tilewright.interpreter.accumulation import fragment_accumulation
from tilewright.interpreter.affine import is_fixed
from tilewright.interpreter.compiler import (
    CALLS,
    EFFECTS,
    STATEMENTS,
    Action,
    Scope,
    compile_condition,
    compile_expression,
    compile_statement,
    compiles,
    located,
)
from tilewright.interpreter.expressions import Deferred
from tilewright.interpreter.frame import Frame
from tilewright.interpreter.loops import LoopBreak
from tilewright.interpreter.memory import scope_of
from tilewright.interpreter.repetition import compile_repetition_check
from tilewright.interpreter.report import Unsupported
from tilewright.interpreter.stores import compile_store
from tilewright.interpreter.tir import tirx
from tilewright.interpreter.values import both
from tilewright.interpreter.warps import compile_thread_allreduce

# Without effect on what is computed in lock step and program order.
_IGNORED_CALLS = (
    "tirx.tvm_storage_sync",
    "tirx.ptx_wait_group",
    "tirx.ptx_commit_group",
    "tirx.assume",
    "tl.sync_warp",
    "tl.fence_proxy_async",
    "tl.wait_wgmma",
    "tl.warpgroup_arrive",
    "tl.warpgroup_wait",
    "tl.warpgroup_commit_batch",
    "tl.warpgroup_fence_operand",
    "tl.set_max_nreg",
    "tl.no_set_max_nreg",
    "tl.annotate_producer_reg_dealloc",
    "tl.annotate_consumer_reg_alloc",
    "tl.pdl_sync",
    "tl.pdl_trigger",
    "tl.conflict_hint",
    "tl.prefetch_tma_descriptor",
    "tl.tma_store_arrive",
    "tl.tma_store_wait",
    "tl.device_assert",
    "tl.device_assert_with_msg",
)
# Hints to the compiler, like every attribute of TileLang's own ("tl." and "pragma_").
_TRANSPARENT_ATTRIBUTES = (
    "warp_specialize",
    "buffer_bind_scope",
    "threadblock_swizzle_pattern",
    "assume",
    "storage_alignment",
)


@compiles(STATEMENTS, "SeqStmt")
def _sequence(stmt: Any, scope: Scope) -> Action:
    actions = [compile_statement(part, scope) for part in stmt.seq]

    def run(frame: Frame) -> None:
        for action in actions:
            action(frame)

    return run


@compiles(STATEMENTS, "SBlockRealize")
def _block_realize(stmt: Any, scope: Scope) -> Action:
    return compile_statement(stmt.block, scope)


@compiles(STATEMENTS, "SBlock")
def _block(stmt: Any, scope: Scope) -> Action:
    fresh = [scope.program.slot(b.data) for b in stmt.alloc_buffers if scope_of(b) != "global"]
    barriers = {scope.program.slot(data): counts for data, counts in tir.barrier_counts(stmt).items()}
    body = compile_statement(stmt.body, scope)

    def run(frame: Frame) -> None:
        for slot in fresh:
            frame.storages.pop(slot, None)
        for slot, counts in barriers.items():
            frame.barriers[slot] = [[count, count, 0] for count in counts]
        body(frame)

    return run


@compiles(STATEMENTS, "AllocBuffer")
def _allocation(stmt: Any, scope: Scope) -> Action:
    slot = scope.program.slot(stmt.buffer.data)

    def run(frame: Frame) -> None:
        frame.storages.pop(slot, None)

    return run


@compiles(STATEMENTS, "DeclBuffer", "AssertStmt")
def _declaration(stmt: Any, scope: Scope) -> Action:
    return lambda frame: None


@compiles(STATEMENTS, "Bind")
def _binding(stmt: Any, scope: Scope) -> Action:
    value, program = stmt.value, scope.program
    if stmt.var in program.thread_vars or str(value.dtype) == "handle":
        return lambda frame: None
    slot = program.slot(stmt.var)
    if not any(isinstance(node, (tirx.BufferLoad, tirx.Call)) for node in tir.nodes(value)):
        program.definitions[stmt.var] = value
        if is_fixed(value, scope):
            program.fixed.add(stmt.var)
    needs = [program.slot(var) for var in tir.variables(value) if var not in scope.axes]
    code, once = compile_expression(value, scope), any(map(tir.is_fetch, tir.nodes(value)))

    def run(frame: Frame) -> None:
        if any(frame.env.get(need) is None for need in needs):
            if once:
                raise Unsupported("the previous value of an atomic, bound where not all it needs is known")
            frame.env[slot] = Deferred(code)
            return
        result = code(frame)
        if isinstance(result, Tensor) and result._base is not None:
            result = result.clone()  # a view of memory that later stores change
        frame.env[slot] = result

    return located(stmt, run)


@compiles(STATEMENTS, "AttrStmt")
def _attribute(stmt: Any, scope: Scope) -> Action:
    key = str(stmt.attr_key)
    if key == "reduce_scope":
        return located(stmt, compile_thread_allreduce(stmt, scope))
    if key not in _TRANSPARENT_ATTRIBUTES and not key.startswith(("pragma_", "tl.")):
        raise Unsupported(f"attribute {key}")
    return compile_statement(stmt.body, scope)


@compiles(STATEMENTS, "Evaluate")
def _evaluation(stmt: Any, scope: Scope) -> Action:
    value = stmt.value
    if not isinstance(value, tirx.Call):
        return lambda frame: None
    name = tir.op_name(value)
    if name in EFFECTS:
        return located(stmt, EFFECTS[name](value, scope))
    if name in CALLS:
        code = compile_expression(value, scope)

        def run(frame: Frame) -> None:
            code(frame)

        return located(stmt, run)
    raise Unsupported(f"call of {name}")


@compiles(EFFECTS, *_IGNORED_CALLS)
def _ignored(call: tir.Call, scope: Scope) -> Action:
    return lambda frame: None


@compiles(EFFECTS, "tl.sync_grid")
def _grid_barrier(call: tir.Call, scope: Scope) -> Action:
    def run(frame: Frame) -> None:
        if not frame.whole_grid:
            raise Unsupported("a grid-wide barrier when not all thread blocks run in lock step")
        for storage in frame.storages.values():
            storage.owners = None

    return run


@compiles(EFFECTS, "tirx.call_extern")
def _extern(call: tir.Call, scope: Scope) -> Action:
    name = str(call.args[0].value)
    if not name.startswith("debug_print"):
        raise Unsupported(f"external function {name}")
    return lambda frame: None


@compiles(EFFECTS, "tl.loop_break", "tirx.break_loop")
def _loop_break(call: tir.Call, scope: Scope) -> Action:
    def run(frame: Frame) -> None:
        if frame.mask is not None:
            raise Unsupported("a break that only some lanes take")
        raise LoopBreak

    return run


@compiles(STATEMENTS, "BufferStore")
def _store(stmt: Any, scope: Scope) -> Action:
    accumulation = fragment_accumulation(stmt, scope)
    if accumulation is not None:
        return located(stmt, accumulation)
    value = compile_expression(stmt.value, scope)
    write = compile_store(stmt.buffer, list(stmt.indices), scope)
    check = compile_repetition_check(stmt, value, scope)

    def run(frame: Frame) -> None:
        write(frame, value(frame))
        if check is not None:
            check(frame)

    return located(stmt, run)


@compiles(STATEMENTS, "IfThenElse")
def _branch(stmt: Any, scope: Scope) -> Action:
    condition = compile_condition(stmt.condition, scope)
    then = compile_statement(stmt.then_case, scope)
    otherwise = None if stmt.else_case is None else compile_statement(stmt.else_case, scope)
    rank = scope.rank

    def under(frame: Frame, chosen: Tensor, action: Action) -> None:
        outer = frame.mask
        mask = both(outer, chosen, rank)
        if not bool(mask.any()):
            return
        frame.mask = None if outer is None and bool(mask.all()) else mask
        try:
            action(frame)
        finally:
            frame.mask = outer

    def run(frame: Frame) -> None:
        chosen = condition(frame)
        if not isinstance(chosen, Tensor):
            if chosen:
                then(frame)
            elif otherwise is not None:
                otherwise(frame)
            return
        if chosen._base is not None:
            chosen = chosen.clone()  # a view of memory that `then` may change
        rest = None if otherwise is None else ~chosen
        under(frame, chosen, then)
        if otherwise is not None and rest is not None:
            under(frame, rest, otherwise)

    return located(stmt, run)
