"""What is asked of the CUDA driver directly, because PyTorch has no words for it? (CUDA Driver API, version 13)

All of these act on the primary context of the current device, which they make current in the calling thread.
"""

from __future__ import annotations

import ctypes
import functools
from typing import Any

import torch

_PERSISTING_L2_CACHE_SIZE = 0x06  # CUlimit
_HOST_REGISTER_PORTABLE_AND_MAPPED = 0x01 | 0x02
_WAIT_VALUE_GEQ = 0x0
_LAZY_ENABLE_PEER_ACCESS = 0x1
_ACCESS_POLICY_WINDOW = 1  # CUlaunchAttributeID
_ATTRIBUTE_BYTES = 64  # sizeof(CUlaunchAttributeValue)
_IPC_GRANULARITY = 2 << 20
"""A handle shares the whole block that an allocation lies in; of this size, nothing else lies in it."""


class DriverError(Exception):
    """The driver refused."""


class _IpcHandle(ctypes.Structure):
    _fields_ = (("reserved", ctypes.c_byte * 64),)


class DeviceMemory:
    """Bytes on the device as something that PyTorch takes for a tensor without a copy."""

    def __init__(self, address: int, size: int) -> None:
        self.address = address
        self.size = size
        self.__cuda_array_interface__ = {
            "shape": (size,), "typestr": "|u1", "data": (address, False), "strides": None, "version": 3,
        }  # fmt: skip

    def tensor(self) -> torch.Tensor:
        """uint8, of `size` elements."""
        return torch.as_tensor(self, device="cuda")


def allocated(size: int) -> DeviceMemory:
    """Memory of its own, which other processes can be given a handle of; raises `torch.OutOfMemoryError`."""
    address = ctypes.c_uint64()
    size = -(-size // _IPC_GRANULARITY) * _IPC_GRANULARITY
    try:
        _call("cuMemAlloc_v2", ctypes.byref(address), ctypes.c_size_t(size))
    except DriverError as error:
        raise torch.OutOfMemoryError(f"no {size} bytes on the device: {error}") from error
    return DeviceMemory(address.value, size)


def freed(memory: DeviceMemory) -> None:
    _call("cuMemFree_v2", ctypes.c_uint64(memory.address))


def shared(memory: DeviceMemory) -> str:
    """The handle of memory from `allocated`, in hex digits."""
    handle = _IpcHandle()
    _call("cuIpcGetMemHandle", ctypes.byref(handle), ctypes.c_uint64(memory.address))
    return bytes(handle).hex()


def opened(handle: str, size: int) -> DeviceMemory:
    """Another process's memory, by its handle. It is given back when this process ends."""
    address = ctypes.c_uint64()
    plain = _IpcHandle.from_buffer_copy(bytes.fromhex(handle))
    _call("cuIpcOpenMemHandle_v2", ctypes.byref(address), plain, ctypes.c_uint(_LAZY_ENABLE_PEER_ACCESS))
    return DeviceMemory(address.value, size)


def pinned(address: int, size: int) -> None:
    """Let the device read and write that memory of the host, which must start and end with a page."""
    _call(
        "cuMemHostRegister_v2", ctypes.c_void_p(address), ctypes.c_size_t(size),
        ctypes.c_uint(_HOST_REGISTER_PORTABLE_AND_MAPPED),
    )  # fmt: skip


def unpinned(address: int) -> None:
    _call("cuMemHostUnregister", ctypes.c_void_p(address))


def wait_for(address: int, value: int) -> None:
    """Hold the current stream until the 32-bit number at `address`, in pinned memory, is at least `value`."""
    stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
    _call(
        "cuStreamWaitValue32_v2", stream, ctypes.c_uint64(address), ctypes.c_uint32(value),
        ctypes.c_uint(_WAIT_VALUE_GEQ),
    )  # fmt: skip


def drop_access_policy() -> None:
    """No window of memory is preferred in the cache by what is launched on the current stream from here on."""
    nothing = (ctypes.c_byte * _ATTRIBUTE_BYTES)()
    stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
    _call("cuStreamSetAttribute", stream, ctypes.c_int(_ACCESS_POLICY_WINDOW), nothing)


def forget_persisting_lines() -> None:
    """No line of the L2 cache is kept back for anybody (`cudaAccessPropertyPersisting`), and none can be."""
    _call("cuCtxResetPersistingL2Cache")
    _call("cuCtxSetLimit", ctypes.c_int(_PERSISTING_L2_CACHE_SIZE), ctypes.c_size_t(0))


def _call(name: str, *arguments: Any) -> None:
    code = getattr(_library(), name)(*arguments)
    if code:
        raise DriverError(f"{name}: error {code}")


@functools.cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL("libcuda.so.1")
