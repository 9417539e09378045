"""How often is what stands in a kernel's machine code run, as far as its traffic tells?

A loop's count is not in the code. It is taken from the bytes that a thread moves: what the body moves, it moves that
often. Loops that move nothing in device memory are taken to run as often as the source's do, at most.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tilewright.records import Instructions, KernelFacts

WIDEST_BYTES = 16.0
"""A load or store of 128 bits, the widest that a thread has."""


@dataclass(frozen=True)
class Executed:
    """What one thread runs."""

    instructions: float
    barriers: float
    divisions: float = 0.0
    special: float = 0.0
    integer: float = 0.0


def executed(kernel: KernelFacts) -> Executed | None:
    """None where instructions are not known, and for tensor cores, where a single one does a tile's work."""
    whole, loop = kernel.instructions, kernel.loop_instructions
    if whole is None or kernel.uses_tensor_cores:
        return None
    times = _times(kernel, whole, loop) if loop is not None and loop.total else 1.0
    loop = loop or Instructions(0)
    return Executed(
        instructions=whole.total + (times - 1) * loop.total,
        barriers=whole.barriers + (times - 1) * loop.barriers,
        divisions=whole.divisions + (times - 1) * loop.divisions,
        special=whole.special + (times - 1) * loop.special,
        integer=whole.integer + (times - 1) * loop.integer,
    )


def bytes_per_access(kernel: KernelFacts) -> float:
    """What a thread moves with one load or store of device memory, in the mean over those in the code; the widest
    where they are not known, and for copies past the registers."""
    counted = kernel.instructions
    accesses = counted.global_loads + counted.global_stores if counted and not kernel.asynchronous_copies else ()
    number = sum(count for _, count in accesses)
    return sum(bits / 8 * count for bits, count in accesses) / number if number else WIDEST_BYTES


def loads_standing(kernel: KernelFacts) -> float:
    """Bytes of the loads that a thread can have asked for at once: those in its loop's body (the compiler unrolls it
    to have many), or in all of its code where no loop loads. 0 where they are not known."""
    for counted in (kernel.loop_instructions, kernel.instructions):
        if counted and counted.global_loads:
            return sum(bits / 8 * count for bits, count in counted.global_loads)
    return 0.0


def _times(kernel: KernelFacts, whole: Instructions, loop: Instructions) -> float:
    """How often the loops are run."""
    moved = (kernel.global_bytes or 0.0) / (max(1, math.prod(kernel.grid)) * max(1, kernel.block_threads))
    in_body = _moved(loop)
    return max(1.0, (moved - _moved(whole) + in_body) / in_body if in_body else kernel.serial_depth or 0.0)


def _moved(counted: Instructions) -> float:
    return sum(bits / 8 * count for bits, count in counted.global_loads + counted.global_stores)
