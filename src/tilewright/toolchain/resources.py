"""What does a compiled kernel use of a multiprocessor, and how many of its blocks fit on one?"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tilewright.hardware import WARP_SIZE, Gpu

_REGISTERS_PER_WARP_GRAIN = 256  # registers are given to a warp in units of 256: CUDA occupancy calculator, cc 3.0 up
_SUB_PARTITIONS = 4  # register file and warp slots are split over four schedulers: same source
_ENTRY = re.compile(r"Compiling entry function '(\w+)' for")
_STACK = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
_USED = re.compile(r"Used (\d+) registers")
_SMEM = re.compile(r"(\d+) bytes smem")


@dataclass(frozen=True)
class Usage:
    """What ptxas gave a device function, per thread; `static_shared_bytes` per block. Spills are bytes stored plus
    bytes loaded."""

    registers: int
    stack_bytes: int
    static_shared_bytes: int
    spill_bytes: int


@dataclass(frozen=True)
class Occupancy:
    """Blocks of a kernel that are resident on a multiprocessor at once, the share of its warp slots that they fill,
    and what keeps more away: registers, shared memory, threads or blocks."""

    blocks_per_sm: int
    share: float
    limited_by: str


def occupancy(gpu: Gpu, registers: int, block_threads: int, shared_bytes: int) -> Occupancy:
    """The arithmetic of NVIDIA's occupancy calculator. `shared_bytes` is static plus dynamic, per block."""
    warps = -(-block_threads // WARP_SIZE)
    warp_slots = gpu.max_threads_per_sm // WARP_SIZE
    fits = {
        "registers": _blocks_by_registers(gpu, registers, warps),
        "shared memory": _blocks_by_shared_memory(gpu, shared_bytes),
        "threads": warp_slots // warps,
        "blocks": gpu.max_blocks_per_sm,
    }
    blocks = min(fits.values())
    limited_by = next(name for name, count in fits.items() if count == blocks)
    return Occupancy(blocks, blocks * warps / warp_slots, limited_by)


def usage_from_ptxas(log: str) -> dict[str, Usage]:
    """Resource usage by device function, from what nvcc prints with `-Xptxas -v`."""
    found: dict[str, Usage] = {}
    for part in re.split(r"(?=ptxas info\s*: Compiling entry function)", log):
        entry, stack, used = _ENTRY.search(part), _STACK.search(part), _USED.search(part)
        if entry and used:
            shared = _SMEM.search(part)
            found[entry[1]] = Usage(
                registers=int(used[1]),
                stack_bytes=int(stack[1]) if stack else 0,
                static_shared_bytes=int(shared[1]) if shared else 0,
                spill_bytes=int(stack[2]) + int(stack[3]) if stack else 0,
            )
    return found


def _blocks_by_registers(gpu: Gpu, registers: int, warps: int) -> int:
    per_warp = -(-registers * WARP_SIZE // _REGISTERS_PER_WARP_GRAIN) * _REGISTERS_PER_WARP_GRAIN
    if not per_warp:
        return gpu.max_blocks_per_sm
    warps_that_fit = gpu.registers_per_sm // _SUB_PARTITIONS // per_warp * _SUB_PARTITIONS
    return warps_that_fit // warps


def _blocks_by_shared_memory(gpu: Gpu, shared_bytes: int) -> int:
    if shared_bytes > gpu.shared_bytes_per_block:
        return 0
    if gpu.has_async_copies:  # compute capability 8.0 and up: 1 KiB a block is the driver's, units of 128 bytes
        needed = -(-(shared_bytes + 1024) // 128) * 128
    else:
        needed = max(256, -(-shared_bytes // 256) * 256)
    return gpu.shared_bytes_per_sm // needed
