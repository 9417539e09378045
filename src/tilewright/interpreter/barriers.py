"""When may a thread pass an mbarrier, if warp roles run one after the other?

Each barrier counts arrivals and completed phases. A wait that would block in program order needs roles that
run at the same time, which lock step does not have: that is `Unsupported`, and says nothing about the
kernel."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from tilewright.interpreter import tir
from tilewright.interpreter.compiler import EFFECTS, Action, Scope, compile_expression, compiles
from tilewright.interpreter.frame import Frame
from tilewright.interpreter.report import Unsupported
from tilewright.interpreter.values import OUTSIDE

# One barrier is [arrivals a phase needs, arrivals still missing, phases completed].


@compiles(EFFECTS, "tirx.ptx_arrive_barrier", "tirx.ptx_arrive_barrier_expect_tx")
def _arrive(call: tir.Call, scope: Scope) -> Action:
    find = _barrier(call.args[0], scope)
    threads = scope.program.thread_count
    x, y, z = scope.program.threads
    if scope.rank != OUTSIDE:
        raise Unsupported("an arrival at an mbarrier inside a T.Parallel loop")

    def run(frame: Frame) -> None:
        barrier = find(frame)
        mask = frame.mask
        arriving = threads if mask is None else int(mask[0].expand(z, y, x).sum())
        barrier[1] -= arriving
        if barrier[1] < 0:
            raise frame.fault("barrier-overflow", f"{-barrier[1]} threads too many arrive at an mbarrier")
        if barrier[1] == 0:
            barrier[1], barrier[2] = barrier[0], barrier[2] + 1

    return run


@compiles(EFFECTS, "tl.mbarrier_wait_parity")
def _wait(call: tir.Call, scope: Scope) -> Action:
    find, parity = _barrier(call.args[0], scope), compile_expression(call.args[1], scope)

    def run(frame: Frame) -> None:
        if find(frame)[2] & 1 == _number(parity(frame)):
            raise Unsupported("an mbarrier wait would block in program order: it needs concurrent warp roles")

    return run


@compiles(EFFECTS, "tl.mbarrier_expect_tx")
def _expect(call: tir.Call, scope: Scope) -> Action:
    return lambda frame: None  # copies complete at once


def _barrier(load: Any, scope: Scope) -> Any:
    if not isinstance(load, tir.BufferLoad):
        raise Unsupported("a barrier that is not an element of T.alloc_barrier")
    slot, index = scope.program.slot(load.buffer.data), compile_expression(load.indices[0], scope)

    def find(frame: Frame) -> list[int]:
        if slot not in frame.barriers:
            raise Unsupported("a barrier without T.alloc_barrier")
        barrier: list[int] = frame.barriers[slot][_number(index(frame))]
        return barrier

    return find


def _number(value: Any) -> int:
    if isinstance(value, Tensor):
        if value.numel() != 1:
            raise Unsupported("a barrier that differs between lanes")
        return int(value)
    return int(value)
