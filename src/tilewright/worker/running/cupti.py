"""What does the device itself say of when its kernels, copies and fills ran?

CUPTI's activity records, without the host's side of them: PyTorch's profiler asks for both, and takes 80 ms to read
a hundred calls. Constants and offsets are of `cupti_activity.h`, alike in CUPTI 12 and 13.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

_MEMCPY, _MEMSET, _CONCURRENT_KERNEL = 1, 2, 10
_KINDS = (_MEMCPY, _MEMSET, _CONCURRENT_KERNEL)
_FLUSH_FORCED = 1
_BUFFER_BYTES = 32 << 20
"""One holds a block of calls with thousands of launches each. CUPTI asks for another from a thread of its own, which
then waits for Python's lock, while whoever holds that may wait for CUPTI's. Untouched pages cost nothing."""
_HEAD = struct.Struct("<i12xQQ")
"""Of these three kinds' records: the kind, something else, start and end in ns."""


@dataclass(frozen=True)
class Piece:
    """A kernel, a copy or a fill on the device; times in nanoseconds from some common point."""

    start_ns: int
    end_ns: int


class Unavailable(Exception):
    """CUPTI isn't there, or doesn't want to."""


@functools.cache
def of_this_process() -> Activities:
    """Raises `Unavailable`."""
    return Activities()


class Activities:
    """A process has one at most, since CUPTI has one pair of callbacks."""

    def __init__(self) -> None:
        self._library = _library()
        self._lent: dict[int, mmap.mmap] = {}
        self._free: list[mmap.mmap] = []
        self._pieces: list[Piece] = []
        self._callbacks = (_REQUESTED(self._lend), _COMPLETED(self._take_back))  # CUPTI keeps only their addresses
        self._call("cuptiActivityRegisterCallbacks", *self._callbacks)

    def begin(self) -> None:
        for kind in _KINDS:
            self._call("cuptiActivityEnable", kind)

    def end(self) -> list[Piece]:
        """The device is done. What ran on it since `begin`, in the order in which it began."""
        self._call("cuptiActivityFlushAll", _FLUSH_FORCED)
        for kind in _KINDS:
            self._call("cuptiActivityDisable", kind)
        found, self._pieces = self._pieces, []
        return sorted(found, key=lambda piece: piece.start_ns)

    def _call(self, name: str, *arguments: Any) -> None:
        status = getattr(self._library, name)(*arguments)
        if status != 0:
            raise Unavailable(f"{name}: CUPTI error {status}")

    def _lend(self, buffer: Any, size: Any, most_records: Any) -> None:
        memory = self._free.pop() if self._free else mmap.mmap(-1, _BUFFER_BYTES)  # nothing is written to it before
        address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        self._lent[address] = memory
        buffer[0], size[0], most_records[0] = address, _BUFFER_BYTES, 0

    def _take_back(self, context: Any, stream: int, buffer: int, size: int, valid: int) -> None:
        record = ctypes.c_void_p()
        following = self._library.cuptiActivityGetNextRecord
        while valid and following(ctypes.c_void_p(buffer), ctypes.c_size_t(valid), ctypes.byref(record)) == 0:
            kind, start, end = _HEAD.unpack(ctypes.string_at(record.value or 0, _HEAD.size))
            if kind in _KINDS:
                self._pieces.append(Piece(start, end))
        self._free.append(self._lent.pop(buffer))


def _library() -> ctypes.CDLL:
    """PyTorch's own, which it loads by name or brings along as a package."""
    name = f"libcupti.so.{(torch.version.cuda or '0').split('.')[0]}"
    packages = Path(torch.__file__).resolve().parents[1]
    beside = [*packages.glob(f"nvidia/*/lib/{name}"), *packages.glob(f"torch/lib/{name}")]
    for place in (name, *map(str, beside)):
        with contextlib.suppress(OSError):
            return ctypes.CDLL(place)
    raise Unavailable(f"no {name}")


_REQUESTED = ctypes.CFUNCTYPE(
    None, ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)
)
_COMPLETED = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t
)
