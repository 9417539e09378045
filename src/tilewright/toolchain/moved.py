"""Which values does the generated code set elsewhere than the source does?

Where copies run on warps of their own (TMA, on Hopper and later), TileLang 0.1.15 takes what sets registers before a
pipelined loop into the half of the threads that computes, and that half stands where the loop does: inside a
condition or another loop around it, if there is one. So

    T.clear(acc)                        T.clear(acc)
    for tap in T.serial(9):             if row > 0:
        for k in T.Pipelined(...):          for k in T.Pipelined(...):
            T.gemm(..., acc)                    T.gemm(..., acc)
    T.copy(acc, ...)                    T.copy(acc, ...)

starts anew with each tap on the left, and on the right stores what was never set. The source is right, and whoever
executes it says so. The function as written tells what should be set before what; the generated text, where it is.
Not seen: variables that the generated text calls otherwise, and conditions that TileLang takes apart."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tvm import tirx

from tilewright.toolchain.tir import Region, is_zero, nodes, op_name

_REGION = "tl.region"
_READS, _WRITES = 1, 2
_GEMM_CLEARS = 9  # the place of clear_accum among the arguments of tl.tileop.gemm
_WARPS_PART = re.compile(r"if \(\(*\(int\)threadIdx\.x\)* < \d+\)")
_LOOP = re.compile(r"for \(\w+ (\w+) =")


@dataclass(frozen=True)
class Moved:
    """`buffer` is set inside a loop or a condition that it is set before in the source.

    `loop` is the loop's variable, "" for a condition. `certain`: each of several passes starts anew; else it depends
    on what blocks and data do."""

    buffer: str
    loop: str
    certain: bool


def moved(prim_func: tirx.PrimFunc, cuda: str) -> list[Moved]:
    """Only what changes results, each buffer once."""
    found: dict[str, Moved] = {}
    for early in _early(prim_func.body, {}):
        for function in cuda.split("__global__")[1:]:
            one = _judged(early, _uses(function, early.buffer))
            if one is not None and not (one.buffer in found and found[one.buffer].certain):
                found[one.buffer] = one
    return list(found.values())


@dataclass(frozen=True)
class _Early:
    """A buffer set before all of `around`, the loops and conditions around a pipelined loop, outermost first."""

    buffer: str
    around: tuple[Any, ...]


def _early(stmt: Any, since: Mapping[str, tuple[Any, ...]]) -> Iterator[_Early]:
    """`since`: what was entered after each buffer was set."""
    if isinstance(stmt, tirx.SeqStmt):
        known = dict(since)
        for part in stmt.seq:
            yield from _early(part, known)
            known.update(dict.fromkeys(_written(part), ()))
    elif isinstance(stmt, tirx.SBlockRealize):
        yield from _early(stmt.block.body, since)
    elif isinstance(stmt, tirx.IfThenElse):
        inside = _entered(stmt, since)
        yield from _early(stmt.then_case, inside)
        if stmt.else_case is not None:
            yield from _early(stmt.else_case, inside)
    elif isinstance(stmt, tirx.For) and "num_stages" in stmt.annotations:
        yield from (_Early(buffer, around) for buffer, around in since.items() if around)
    elif isinstance(stmt, tirx.For):
        yield from _early(stmt.body, _entered(stmt, since))
    elif hasattr(stmt, "body"):
        yield from _early(stmt.body, since)


def _entered(stmt: Any, since: Mapping[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
    return {buffer: (*around, stmt) for buffer, around in since.items()}


def _written(stmt: Any) -> Iterator[str]:
    """The buffers of a thread's own that a statement sets."""
    for node in nodes(stmt):
        buffer, way = _touched(node)
        if buffer is not None and way & _WRITES and str(buffer.scope()).startswith("local"):
            yield str(buffer.name)


def _touched(node: Any) -> tuple[Any, int]:
    if isinstance(node, tirx.BufferStore):
        return node.buffer, _WRITES
    if isinstance(node, tirx.Call) and op_name(node) == _REGION:
        return Region.of(node).buffer, int(node.args[1])
    return None, 0


def _carried(body: Any, name: str) -> bool:
    """Whether a loop's pass goes on from what the one before it left in a buffer."""
    return name in _written(body) and _reads_first(body, name) is True


def _reads_first(stmt: Any, name: str) -> bool | None:
    """Whether a statement uses what a buffer held before; None where it does not touch it."""
    if isinstance(stmt, tirx.SBlockRealize):
        return _reads_first(stmt.block.body, name)
    if isinstance(stmt, tirx.For):
        return _reads_first(stmt.body, name)
    if isinstance(stmt, tirx.SeqStmt):
        return next((said for part in stmt.seq if (said := _reads_first(part, name)) is not None), None)
    if isinstance(stmt, tirx.BufferStore):
        reads = any(isinstance(n, tirx.BufferLoad) and n.buffer.name == name for n in nodes(stmt))
        return True if reads else (False if stmt.buffer.name == name else None)
    calls = [node for node in nodes(stmt) if isinstance(node, tirx.Call)]
    ways = [way for buffer, way in map(_touched, calls) if buffer is not None and buffer.name == name]
    return any(way & _READS for way in ways) and not any(map(_may_clear, calls)) if ways else None


def _may_clear(call: tirx.Call) -> bool:
    """Whether a product can start anew: `T.gemm(..., clear_accum=k == 0)`."""
    return op_name(call) == "tl.tileop.gemm" and not is_zero(call.args[_GEMM_CLEARS])


@dataclass(frozen=True)
class _Use:
    """A line of generated code, and the numbered blocks around it, outermost first."""

    blocks: tuple[tuple[int, str], ...]
    line: str


def _uses(function: str, name: str) -> list[_Use]:
    """Of a variable of one device function, after its declaration."""
    declared, word = re.compile(rf"^[\w:]+ {name}(\[\d+\]| = [^;]*);"), re.compile(rf"\b{name}\b")
    blocks: list[tuple[int, str]] = []
    uses: list[_Use] | None = None
    for number, text in enumerate(function.splitlines()):
        line = text.strip()
        before = blocks.pop()[1] if line.startswith("}") and blocks else ""
        if uses is not None and word.search(line):
            uses.append(_Use(tuple(blocks), line))
        if declared.match(line):
            uses = []
        if line.endswith("{"):
            blocks.append((number, f"else of {before}" if line == "} else {" else line))
    return uses or []


def _judged(early: _Early, uses: list[_Use]) -> Moved | None:
    if not uses:
        return None
    headers = [header for _, header in uses[0].blocks]
    part = next((i for i, header in enumerate(headers) if _WARPS_PART.search(header)), None)
    if part is None or any(header.startswith("if") for header in headers[part + 1 :]):
        return None
    loops = {found[1] for header in headers[:part] if (found := _LOOP.match(header))}
    conditional = any(isinstance(stmt, tirx.IfThenElse) for stmt in early.around)
    for loop in (stmt for stmt in early.around if isinstance(stmt, tirx.For)):
        name, often = str(loop.loop_var.name), loop.extent
        inside = any(re.fullmatch(rf"{name}(_\d+)?", one) for one in loops)
        if inside and _carried(loop.body, early.buffer):
            repeated = isinstance(often, tirx.IntImm) and int(often) > 1
            return Moved(early.buffer, name, certain=repeated and not conditional)
    conditions = [block for block in uses[0].blocks[:part] if block[1].startswith(("if", "else of if"))]
    if conditional and conditions and _missed(early.buffer, conditions[-1], uses):
        return Moved(early.buffer, "", certain=False)
    return None


def _missed(name: str, condition: tuple[int, str], uses: list[_Use]) -> bool:
    """Whether the variable is read, and not set first, where the condition did not hold."""
    outside = next((use.line for use in uses if condition not in use.blocks), None)
    if outside is None:
        return False
    target, _, value = outside.partition(" = ")
    set_there = value and re.match(rf"(\*\(\w+\*\)\()?{name}\b", target) and not re.search(rf"\b{name}\b", value)
    return not set_there
