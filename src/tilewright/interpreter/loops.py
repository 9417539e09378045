"""How do loops run: serial ones in turn, T.Parallel as one more lane axis?"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tilewright.interpreter import private, tir
from tilewright.interpreter.compiler import (
    STATEMENTS,
    Action,
    Scope,
    compile_condition,
    compile_expression,
    compile_statement,
    compiles,
    located,
)
from tilewright.interpreter.frame import Frame
from tilewright.interpreter.memory import is_private, scope_of
from tilewright.interpreter.report import Unsupported
from tilewright.interpreter.tir import tirx
from tilewright.interpreter.values import any_thread, both, lifted

ENDLESS = 200_000  # iterations after which a while loop is taken to never end


class LoopBreak(Exception):
    """T.loop_break: leaves the innermost serial loop; all active lanes leave together."""


@compiles(STATEMENTS, "While")
def _while(stmt: Any, scope: Scope) -> Action:
    condition, body, rank = compile_condition(stmt.condition, scope), compile_statement(stmt.body, scope), scope.rank
    loads = (node for node in tir.nodes(stmt.condition) if isinstance(node, tirx.BufferLoad))
    may_wait = any(scope_of(load.buffer) == "global" for load in loads)

    def run(frame: Frame) -> None:
        outer = frame.mask
        try:
            for _ in range(ENDLESS):
                frame.journal.check_deadline()
                going = condition(frame)
                if isinstance(going, Tensor):
                    mask = both(frame.mask, going, rank)
                    if not bool(mask.any()):
                        return
                    frame.mask = mask
                elif not going:
                    return
                body(frame)
            if may_wait:
                raise Unsupported("a loop that waits for what other thread blocks write")
            raise frame.fault("endless-loop", f"a while loop still runs after {ENDLESS} iterations")
        except LoopBreak:
            return
        finally:
            frame.mask = outer

    return located(stmt, run)


@compiles(STATEMENTS, "For")
def _loop(stmt: tir.For, scope: Scope) -> Action:
    if stmt.kind == tirx.ForKind.THREAD_BINDING:
        raise Unsupported("a launch inside a launch")
    if stmt.kind == tirx.ForKind.PARALLEL:
        return _parallel_loop(stmt, scope)
    return _serial_loop(stmt, scope)


def _parallel_loop(stmt: tir.For, scope: Scope) -> Action:
    extent, first = tir.constant(stmt.extent), tir.constant(stmt.min)
    if extent is not None and first == 0:
        body = compile_statement(stmt.body, scope.inside(stmt.loop_var, extent))
    else:
        body = _counted_by_frame(stmt, scope)
    rank = scope.rank
    stores = (node for node in tir.nodes(stmt.body) if isinstance(node, tirx.BufferStore))
    touched = {scope.program.slot(node.buffer.data) for node in stores if is_private(node.buffer)}

    def run(frame: Frame) -> None:
        outer = frame.mask
        frame.mask = any_thread(outer)
        try:
            body(frame)
        finally:
            frame.mask = outer
        for slot in touched:
            private.settle(frame.storages.get(slot), rank)

    return run


def _counted_by_frame(stmt: tir.For, scope: Scope) -> Action:
    """A parallel loop whose bounds are only known when it runs."""
    slot, rank, axis = scope.program.slot(stmt.loop_var), scope.rank + 1, scope.rank
    first, extent = compile_expression(stmt.min, scope), compile_expression(stmt.extent, scope)
    body = compile_statement(stmt.body, scope.deeper())

    def run(frame: Frame) -> None:
        count, start = extent(frame), first(frame)
        most = int(count.max()) if isinstance(count, Tensor) else int(count)
        if most <= 0:
            return
        numbers = torch.arange(most).reshape([1] * axis + [most])
        outer = frame.mask
        if isinstance(count, Tensor):
            frame.mask = both(outer, numbers < lifted(count, rank), rank)
        frame.env[slot] = numbers + (lifted(start, rank) if isinstance(start, Tensor) else start)
        try:
            body(frame)
        finally:
            frame.mask = outer

    return run


def _serial_loop(stmt: tir.For, scope: Scope) -> Action:
    slot, rank = scope.program.slot(stmt.loop_var), scope.rank
    first, extent = compile_expression(stmt.min, scope), compile_expression(stmt.extent, scope)
    step = 1 if getattr(stmt, "step", None) is None else tir.constant(stmt.step)
    if step is None:
        raise Unsupported("a loop whose step is not constant")
    body = compile_statement(stmt.body, scope)

    def run(frame: Frame) -> None:
        start, count = first(frame), extent(frame)
        outer = frame.mask
        try:
            if not isinstance(count, Tensor):
                for i in range(0, int(count), step):
                    frame.journal.check_deadline()
                    frame.env[slot] = start + i
                    body(frame)
                return
            for i in range(0, int(count.max()), step):
                frame.journal.check_deadline()
                mask = both(outer, count > i, rank)
                if not bool(mask.any()):
                    continue
                frame.mask = None if outer is None and bool(mask.all()) else mask
                frame.env[slot] = start + i
                body(frame)
        except LoopBreak:
            return
        finally:
            frame.mask = outer

    return located(stmt, run)
