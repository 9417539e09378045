"""What control flow does the disassembly of a compiled kernel show: blocks, the order they run in, loops?

Reads what `nvdisasm -c` prints for compute capability 7.0 and up. Only code that can be reached is looked at; the
compiler's subroutines for rare cases (`$__internal_...`: denormal divisors and the like), the paths of warps that
fell apart (`BRA.DIV`) and the padding behind the end count as unreachable. A loop is what reaches a branch back to a
place that every way there passes (a natural loop), so a wait that the compiler moved behind the end is no loop
around all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_SECTION = re.compile(r"^\s*\.section\s+\.text\.([^,\s]+)", re.MULTILINE)
_LINE = re.compile(
    r"^(?P<label>[.$\w]+):"
    r"|^\s*/\*[0-9a-f]{4,}\*/\s+(?P<guard>@!?U?P\w+\s+)?(?P<opcode>[A-Z][\w.]*)(?P<operands>[^;]*);",
    re.MULTILINE,
)
_TARGET = re.compile(r"`\(([^)]+)\)")
_PREDICATE = re.compile(r"\bU?P\d")
_BARRIER = re.compile(r"\bB\d+\b")
_RARE = "$__internal_"
_ENDS = ("BRA", "BRX", "BRXU", "JMP", "JMX", "CALL", "RET", "EXIT", "BSYNC")
_INDIRECT = ("BRX", "BRXU", "JMX")


@dataclass(frozen=True)
class Instruction:
    """`opcode` without, `modifiers` with what follows its first point; `guarded`: only some threads may run it."""

    opcode: str
    modifiers: tuple[str, ...]
    operands: str
    guarded: bool


@dataclass
class Block:
    """Instructions that run one after another, and the blocks where it goes on."""

    instructions: list[Instruction] = field(default_factory=list)
    next: list[int] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Function:
    """A device function. `order` holds the blocks that can be reached, each before those that follow it. Where a
    branch goes to a computed place it holds all, and `in_loops` is None."""

    symbol: str
    blocks: Sequence[Block]
    order: Sequence[int]
    in_loops: frozenset[int] | None


def functions(disassembly: str) -> tuple[Function, ...]:
    """The device functions in what nvdisasm printed."""
    parts = _SECTION.split(disassembly)
    return tuple(_function(symbol, text) for symbol, text in zip(parts[1::2], parts[2::2]))


def _function(symbol: str, text: str) -> Function:
    blocks = _blocks(text)
    if any(i.opcode in _INDIRECT for block in blocks for i in block.instructions):
        return Function(symbol, blocks, range(len(blocks)), None)
    order = _reverse_postorder(blocks)
    return Function(symbol, blocks, order, frozenset(_in_loops(blocks, order)))


def _blocks(text: str) -> list[Block]:
    """The first is where the function is entered."""
    blocks, starts = [Block()], dict[str, int]()
    for found in _LINE.finditer(text):
        if found["label"]:
            if blocks[-1].instructions:
                blocks.append(Block())
            starts[found["label"]] = len(blocks) - 1
            continue
        opcode, *modifiers = found["opcode"].split(".")
        blocks[-1].instructions.append(Instruction(opcode, tuple(modifiers), found["operands"], bool(found["guard"])))
        if opcode in _ENDS:
            blocks.append(Block())
    meetings = _meetings(blocks, starts)
    for index, block in enumerate(blocks):
        if block.instructions:
            block.next = [n for n in _successors(index, block.instructions[-1], starts, meetings) if n < len(blocks)]
    return blocks


def _meetings(blocks: Sequence[Block], starts: dict[str, int]) -> dict[str, set[int]]:
    """Where the threads that BSSY parts meet again, by its barrier register."""
    found: dict[str, set[int]] = {}
    for instruction in (i for block in blocks for i in block.instructions if i.opcode == "BSSY"):
        target, barrier = _TARGET.search(instruction.operands), _BARRIER.search(instruction.operands)
        if target and barrier and target[1] in starts:
            found.setdefault(barrier[0], set()).add(starts[target[1]])
    return found


def _successors(
    index: int, last: Instruction, starts: dict[str, int], meetings: dict[str, set[int]]
) -> Iterator[int]:
    if last.opcode == "BSYNC":
        barrier = _BARRIER.search(last.operands)
        places = meetings.get(barrier[0], set()) if barrier else set()
        yield from {index + 1} if index + 1 in places or not places else places
        return
    target, rare = _TARGET.search(last.operands), last.modifiers[:1] == ("DIV",)
    jumps = last.opcode in ("BRA", "JMP", "CALL") and not rare
    if jumps and target and target[1] in starts and not target[1].startswith(_RARE):
        yield starts[target[1]]
    some = last.guarded or _PREDICATE.search(last.operands.split("`")[0])
    if last.opcode not in _ENDS or some or rare or last.opcode == "CALL":
        yield index + 1


def _reverse_postorder(blocks: Sequence[Block]) -> list[int]:
    """The blocks that can be reached, each before those that follow it (but for the ways back)."""
    seen, postorder = {0}, list[int]()
    stack = [(0, iter(blocks[0].next))]
    while stack:
        index, following = stack[-1]
        step = next((n for n in following if n not in seen), None)
        if step is None:
            postorder.append(index)
            stack.pop()
        else:
            seen.add(step)
            stack.append((step, iter(blocks[step].next)))
    return postorder[::-1]


def _in_loops(blocks: Sequence[Block], order: Sequence[int]) -> set[int]:
    """The blocks of all natural loops."""
    before: dict[int, list[int]] = {index: [] for index in order}
    for index in order:
        for following in blocks[index].next:
            if following in before:
                before[following].append(index)
    dominator = _dominators(order, before)
    found: set[int] = set()
    for index in order:
        for head in blocks[index].next:
            if _dominates(head, index, dominator):
                loop, stack = {head}, [index]
                while stack:
                    if (at := stack.pop()) not in loop:
                        loop.add(at)
                        stack += before[at]
                found |= loop
    return found


def _dominators(order: Sequence[int], before: dict[int, list[int]]) -> dict[int, int]:
    """The immediate dominator of each block (Cooper, Harvey and Kennedy, A Simple, Fast Dominance Algorithm)."""
    rank = {index: i for i, index in enumerate(order)}
    dominator = {order[0]: order[0]}
    changed = True
    while changed:
        changed = False
        for index in order[1:]:
            known = [b for b in before[index] if b in dominator]
            new = known[0]
            for other in known[1:]:
                while new != other:
                    if rank[new] > rank[other]:
                        new = dominator[new]
                    else:
                        other = dominator[other]
            changed |= dominator.get(index) != new
            dominator[index] = new
    return dominator


def _dominates(head: int, index: int, dominator: dict[int, int]) -> bool:
    while index != head and index in dominator and dominator[index] != index:
        index = dominator[index]
    return index == head
