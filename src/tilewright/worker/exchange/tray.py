"""How do tensors get from one process to another?

A tray is a piece of memory that the verifier makes (`memfd_create`), fixes in size, so that a runner can't cut it
off under the verifier's hands, and shares with one runner. Tensors lie in it as raw bytes. Whoever reads a tray
that a runner can write gets a copy: what was compared can't change afterwards.
"""

from __future__ import annotations

import ctypes
import fcntl
import math
import mmap
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from tilewright.worker.exchange import driver
from tilewright.worker.exchange.wire import dtype_name, dtype_named

_ALIGNMENT = 256


@dataclass(frozen=True)
class Slot:
    """Where a tensor lies in a tray. `offset` in bytes."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    offset: int

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * int(self.dtype.itemsize)

    def plain(self) -> list[Any]:
        return [list(self.shape), dtype_name(self.dtype), self.offset]

    @classmethod
    def from_plain(cls, plain: Sequence[Any]) -> Slot:
        shape, dtype, offset = plain
        return cls(tuple(shape), dtype_named(dtype), offset)


def laid_out(tensors: Sequence[tuple[Sequence[int], torch.dtype]]) -> tuple[list[Slot], int]:
    """A slot for each (shape, dtype), one after the other, and the bytes that they take together."""
    slots, offset = [], 0
    for shape, dtype in tensors:
        slot = Slot(tuple(shape), dtype, offset)
        slots.append(slot)
        offset += -(-slot.bytes // _ALIGNMENT) * _ALIGNMENT
    return slots, offset


def view_of(memory: torch.Tensor, slot: Slot, start: int = 0) -> torch.Tensor:
    """The tensor that lies in bytes of memory, its slot moved by `start` bytes; nothing is copied."""
    if not slot.bytes:
        return torch.empty(slot.shape, dtype=slot.dtype, device=memory.device)
    first = start + slot.offset
    return memory[first : first + slot.bytes].view(slot.dtype).reshape(slot.shape)


class Tray:
    """Shared memory of a fixed size. The creator closes its descriptor; the memory lives while one is mapped."""

    def __init__(self, descriptor: int, size: int) -> None:
        self.descriptor = descriptor
        self.size = size
        self._map = mmap.mmap(descriptor, size)
        self._pinned = False

    @classmethod
    def create(cls, size: int) -> Tray:
        size = max(size, mmap.PAGESIZE)
        descriptor = os.memfd_create("tray", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(descriptor, size)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        return cls(descriptor, size)

    def write(self, slot: Slot, tensor: torch.Tensor) -> None:
        if slot.bytes:
            self._bytes(slot).copy_(tensor.detach().contiguous().reshape(-1).view(torch.uint8))

    def read(self, slot: Slot, device: torch.device | str = "cpu") -> torch.Tensor:
        """A copy."""
        tensor = torch.empty(slot.shape, dtype=slot.dtype, device=device)
        if slot.bytes:
            tensor.reshape(-1).view(torch.uint8).copy_(self._bytes(slot))
        return tensor

    def view(self, slot: Slot) -> torch.Tensor:
        """The memory itself, not a copy."""
        if not slot.bytes:
            return torch.empty(slot.shape, dtype=slot.dtype)
        return self._bytes(slot).view(slot.dtype).reshape(slot.shape)

    @property
    def address(self) -> int:
        return ctypes.addressof(ctypes.c_char.from_buffer(self._map))

    def pin(self) -> None:
        """Let the device read and write it without waiting for the host; in a process that uses CUDA."""
        if not self._pinned:
            driver.pinned(self.address, -(-self.size // mmap.PAGESIZE) * mmap.PAGESIZE)
            self._pinned = True

    def put_number(self, value: int) -> None:
        """Store a 32-bit number at the beginning, for whoever watches it."""
        struct.pack_into("<I", self._map, 0, value)

    def close(self) -> None:
        os.close(self.descriptor)
        self._map.close()

    def _bytes(self, slot: Slot) -> torch.Tensor:
        return torch.frombuffer(self._map, dtype=torch.uint8, count=slot.bytes, offset=slot.offset)
