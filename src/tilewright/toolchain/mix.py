"""Which kinds of machine instructions are in a compiled kernel, and in its loops?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tilewright.records import Instructions
from tilewright.toolchain.sass import Block, Function, Instruction

_WIDTHS = {"U8": 8, "S8": 8, "U16": 16, "S16": 16, "64": 64, "128": 128, "256": 256}

# From the instruction set tables of NVIDIA's CUDA Binary Utilities, Volta to Blackwell.
_KINDS: dict[str, tuple[str, ...]] = {
    "wgmma": ("HGMMA", "QGMMA", "IGMMA", "BGMMA", "UTCHMMA", "UTCQMMA", "UTCIMMA", "UTCOMMA", "UTCMXQMMA"),
    "mma": ("HMMA", "IMMA", "BMMA", "QMMA", "OMMA", "DMMA"),
    "fp32": ("FFMA", "FADD", "FMUL", "FFMA32I", "FADD32I", "FMUL32I", "FFMA2", "FADD2", "FMUL2"),
    "fp16": ("HFMA2", "HADD2", "HMUL2", "HFMA2_32I", "HADD2_32I", "HMUL2_32I"),
    "fp64": ("DFMA", "DADD", "DMUL"),
    "special": ("MUFU",),
    "integer": ("IMAD", "IADD3", "VIADD", "LEA", "LOP3", "SHF", "IABS", "IMNMX", "VIMNMX", "UIMAD", "UIADD3", "ULEA",
                "ULOP3", "USHF"),
    "conversions": ("F2F", "F2FP", "F2I", "I2F", "I2FP", "F2IP"),
    "divisions": ("FCHK",),
    "shuffles": ("SHFL", "REDUX", "CREDUX"),
    "global_loads": ("LDG", "LD"),
    "global_stores": ("STG", "ST"),
    "shared_loads": ("LDS",),
    "shared_stores": ("STS",),
    "matrix_loads": ("LDSM",),
    "matrix_stores": ("STSM",),
    "async_copies": ("LDGSTS",),
    "tma_loads": ("UTMALDG", "UBLKCP"),
    "tma_stores": ("UTMASTG", "UTMAREDG", "UBLKRED"),
    "local_loads": ("LDL",),
    "local_stores": ("STL",),
    "atomics": ("ATOM", "ATOMG", "RED", "REDG"),
    "shared_atomics": ("ATOMS",),
    "barriers": ("BAR", "UCGABAR_ARV", "UCGABAR_WAIT"),
    "branches": ("BRA", "BRX", "JMP", "JMX"),
}  # fmt: skip
_KIND_OF = {opcode: kind for kind, opcodes in _KINDS.items() for opcode in opcodes}
_BY_WIDTH = ("global_loads", "global_stores", "shared_loads", "shared_stores", "async_copies")


def mix(function: Function) -> Instructions:
    """Of all code that can be reached."""
    return _count(function.blocks[index] for index in function.order)


def mix_in_loops(function: Function) -> Instructions | None:
    """None where the loops can't be told."""
    if function.in_loops is None:
        return None
    return _count(function.blocks[index] for index in sorted(function.in_loops))


def width(instruction: Instruction) -> int:
    """Bits that it moves in each thread."""
    return next((_WIDTHS[m] for m in instruction.modifiers if m in _WIDTHS), 32)


def _count(blocks: Iterable[Block]) -> Instructions:
    total, kinds, widths = 0, Counter[str](), {kind: Counter[int]() for kind in _BY_WIDTH}
    for instruction in (i for block in blocks for i in block.instructions):
        total += instruction.opcode != "NOP"
        kind = _kind(instruction)
        if kind in widths:
            widths[kind][width(instruction)] += 1
        elif kind:
            kinds[kind] += 1
    by_width = {kind: tuple(sorted(counts.items())) for kind, counts in widths.items()}
    return Instructions(total=total, **kinds, **by_width)  # type: ignore[arg-type]


def _kind(instruction: Instruction) -> str | None:
    opcode, modifiers = instruction.opcode, instruction.modifiers
    if opcode == "HADD2" and "F32" in modifiers:  # how fp16 becomes fp32
        return "conversions"
    if (opcode == "HFMA2" and "-RZ, RZ" in instruction.operands) or (opcode == "IMAD" and "MOV" in modifiers):
        return None  # moves of a constant
    if opcode == "UBLKCP" and modifiers[:2] == ("G", "S"):  # a bulk copy to global memory
        return "tma_stores"
    return _KIND_OF.get(opcode)
