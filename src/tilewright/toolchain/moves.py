"""By which machine instructions does a kernel read and write each tensor of its signature?

Addresses are followed back through the registers to the pointer among the kernel's parameters that they are made of.
What the TMA moves by a descriptor is named in the generated CUDA code. An access whose tensor can't be told (its
address was spilled, or is chosen between two tensors) is there under the name ""."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from tilewright.records import TensorAccess, Way
from tilewright.toolchain.mix import width
from tilewright.toolchain.sass import Function, Instruction

_WAYS: dict[str, Way] = {
    "LDG": "load", "LD": "load", "STG": "store", "ST": "store", "LDGSTS": "async copy",
    "ATOM": "atomic", "ATOMG": "atomic", "RED": "atomic", "REDG": "atomic",
}  # fmt: skip
_BULK = ("UBLKCP", "UBLKRED")
_GENERIC = ("LD", "ST", "ATOM", "RED")
_LOADS = ("LDG", "LD", "LDS", "LDL", "LDSM", "LDC", "ULDC", "LDCU", "ATOM", "ATOMG", "ATOMS")
_REGISTER = re.compile(r"\b(U?R)(\d+)\b")
_CONSTANT = re.compile(r"\bc\[0x0\]\[0x([0-9a-f]+)\]")
_DESCRIPTOR = re.compile(r"desc\[[^\]]*\]")
_ADDRESS = re.compile(r"\[([^\]]*)\]")
_DESTINATION = re.compile(r"^\s*(U?R)(\d+)(?:\.reuse)?$")
_PREDICATES = re.compile(r"^\s*!?U?PT?\d*$")
_TMA: dict[Way, re.Pattern[str]] = {
    "TMA load": re.compile(r"\btl::tma_load\w*(?:<[^;(]*>)?\(\s*(\w+)_desc\b"),
    "TMA store": re.compile(r"\btl::tma_(?:store|reduce)\w*(?:<[^;(]*>)?\(\s*(\w+)_desc\b"),
}

_Origins = frozenset[str]


def tensor_accesses(function: Function, places: Sequence[int], source: str) -> tuple[TensorAccess, ...] | None:
    """Without lines. `places` are where the function finds its parameters in constant memory. None where they don't
    fit the signature in the generated CUDA `source`."""
    pointers = _pointers(function.symbol, places, source)
    if pointers is None:
        return None
    state = _at_entry(function, pointers)
    counts: dict[tuple[str, Way], tuple[Counter[int], Counter[int]]] = {}
    for index in function.order:
        known = dict(state[index])
        for instruction in function.blocks[index].instructions:
            way = _way(instruction)
            origins = _of_address(instruction, known) if way else frozenset()
            if way and (origins or instruction.opcode not in _GENERIC):  # shared memory has generic addresses, too
                tensor = next(iter(origins)) if len(origins) == 1 else ""
                everywhere, in_loops = counts.setdefault((tensor, way), (Counter(), Counter()))
                if instruction.opcode not in _BULK:
                    everywhere[width(instruction)] += 1
                    in_loops[width(instruction)] += index in (function.in_loops or ())
            _step(instruction, known, pointers)
    found = [
        TensorAccess(tensor, way, tuple(sorted(everywhere.items())), tuple(sorted((+in_loops).items())))
        for (tensor, way), (everywhere, in_loops) in counts.items()
    ]
    return tuple(dict.fromkeys([*found, *_by_descriptor(_body(function.symbol, source))]))


def _way(instruction: Instruction) -> Way | None:
    if instruction.opcode in _BULK:
        return "TMA load" if _to_shared(instruction) else "TMA store"
    return _WAYS.get(instruction.opcode)


def _to_shared(instruction: Instruction) -> bool:
    return instruction.modifiers[:1] == ("S",)


def _by_descriptor(body: str) -> Iterator[TensorAccess]:
    for way, call in _TMA.items():
        yield from (TensorAccess(name, way) for name in call.findall(body))


# ------------------------------------------------------------ the signature


def _body(symbol: str, source: str) -> str:
    """From a kernel's name in its definition to the next kernel."""
    starts = [m.start() for m in re.finditer(rf"\b{re.escape(symbol)}\(", source)]
    text = source[starts[-1] :] if starts else ""
    return text.split("__global__")[0]


def _pointers(symbol: str, places: Sequence[int], source: str) -> dict[int, str] | None:
    """Names of tensors by where their pointers lie in constant memory."""
    body = _body(symbol, source)
    signature = body[body.find("(") + 1 : body.find(")")]
    parameters = [parameter for parameter in signature.split(",") if parameter.strip()]
    if not parameters or len(parameters) != len(places):
        return None
    return {place: parameter.split()[-1] for place, parameter in zip(places, parameters) if "*" in parameter}


# ------------------------------------------------------------ where addresses come from


def _at_entry(function: Function, pointers: Mapping[int, str]) -> dict[int, dict[str, _Origins]]:
    """What each block finds in the registers: the tensors whose pointers went into them."""
    state: dict[int, dict[str, _Origins]] = {index: {} for index in function.order}
    pending = dict.fromkeys(function.order)
    while pending:
        index = next(iter(pending))
        del pending[index]
        known = dict(state[index])
        for instruction in function.blocks[index].instructions:
            _step(instruction, known, pointers)
        for following in function.blocks[index].next:
            before = state[following]
            more = {r: o for r, o in known.items() if not o <= before.get(r, frozenset())}
            if more:
                before.update({r: o | before.get(r, frozenset()) for r, o in more.items()})
                pending[following] = None
    return state


def _step(instruction: Instruction, known: dict[str, _Origins], pointers: Mapping[int, str]) -> None:
    first, _, rest = instruction.operands.partition(",")
    while _PREDICATES.match(first) and rest:
        first, _, rest = rest.partition(",")
    target = _DESTINATION.match(first)
    if target is None:
        return
    if instruction.opcode in _LOADS:
        constant = _CONSTANT.search(rest)
        name = pointers.get(int(constant[1], 16) & ~7) if constant else None
        origins = frozenset([name]) if name else frozenset[str]()
    else:
        origins = frozenset[str]().union(*(known.get(kind + at, ()) for kind, at in _REGISTER.findall(rest)))
        constants = (int(offset, 16) & ~7 for offset in _CONSTANT.findall(rest))
        origins |= {pointers[offset] for offset in constants if offset in pointers}
    for register in _registers(target, rest, instruction):
        all_origins = origins | known.get(register, frozenset()) if instruction.guarded else origins
        if all_origins:
            known[register] = all_origins
        else:
            known.pop(register, None)


def _registers(target: re.Match[str], rest: str, instruction: Instruction) -> list[str]:
    """All that an instruction fills: a wide result goes into several in a row, one of 256 bits into two rows."""
    bits = 64 if "WIDE" in instruction.modifiers else width(instruction)
    second = _DESTINATION.match(rest.partition(",")[0]) if bits == 256 else None
    rows = [target, second] if second else [target]
    count = max(1, bits // 32 // len(rows))
    return [f"{row[1]}{int(row[2]) + step}" for row in rows for step in range(count)]


def _of_address(instruction: Instruction, known: Mapping[str, _Origins]) -> _Origins:
    """Of the place in global memory: the second where a copy names that in shared memory first."""
    addresses = _ADDRESS.findall(_DESCRIPTOR.sub("", instruction.operands))
    to_global = instruction.opcode in _BULK and not _to_shared(instruction)
    registers = _REGISTER.findall(addresses[0 if to_global else -1]) if addresses else []
    return frozenset[str]().union(*(known.get(kind + at, ()) for kind, at in registers))
