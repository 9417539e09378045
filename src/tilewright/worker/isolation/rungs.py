"""How far can candidates' processes be locked in on this machine?

It is tried out, since neither the kernel's version nor the user's rights say: a child takes a rung, and then starts
programs and, where there is a GPU, uses CUDA. What fails on the highest rung is tried on the next lower one.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from tilewright.worker.isolation import sandbox
from tilewright.worker.isolation.sandbox import Isolation

_LADDER = (Isolation("R3", own_pids=True), Isolation("R3"), Isolation("R2"), Isolation("R1"))
_GIVES = {
    "R0": "own process, scrubbed environment, private folders, resource limits",
    "R1": "Landlock and seccomp",
    "R2": "no capabilities",
    "R3": "own network",
}
_WORKS = b"works"
_PATIENCE_S = 30.0
_PROGRAMS = ("nvcc", "c++")


class _IpcHandle(ctypes.Structure):
    _fields_ = (("reserved", ctypes.c_byte * 64),)


@dataclass(frozen=True)
class _Shared:
    """Memory on the device that another process holds; without a handle where it can't be shared."""

    pid: int
    handle: bytes


def reached(most: str = "R3") -> Isolation:
    """The highest rung up to `most` on which a process can do what runners must.

    Call it in a process that has no threads; CUDA is used by children of it alone.
    """
    with _memory_on_device() as shared:
        isolation = _climbed(most, shared)
        if isolation.rung == "R0" and shared is not None:
            # NVIDIA's multi-process service is spoken to through a socket.
            with_sockets = _climbed(most, shared, unix_sockets=True)
            if with_sockets.rung != "R0":
                return replace(with_sockets, shortfall=f"without Unix sockets: {isolation.shortfall}")
        return isolation


def note(isolation: Isolation) -> str:
    """For whoever reads a result."""
    given = [gives for rung, gives in _GIVES.items() if rung <= isolation.rung]
    if isolation.own_pids:
        given.append("own process ids")
    if isolation.unix_sockets:
        given.append("Unix sockets allowed")
    text = f"isolation {isolation.rung}: {', '.join(given)}"
    return f"{text} (not more: {isolation.shortfall})" if isolation.shortfall else text


@contextlib.contextmanager
def _memory_on_device() -> Iterator[_Shared | None]:
    """As the verifier's. None where CUDA can't be used at all. The first use may also make devices in /dev."""
    pid, hears = _forked(_share_memory)
    try:
        heard = _heard(hears)
        works = heard.startswith(_WORKS)
        yield _Shared(pid, heard[len(_WORKS) :]) if works else None
    finally:
        sandbox.sweep()


def _climbed(most: str, shared: _Shared | None, unix_sockets: bool = False) -> Isolation:
    failures: list[str] = []
    for step in _LADDER:
        if step.rung > most:
            continue
        isolation = replace(step, unix_sockets=unix_sockets, shortfall="; ".join(failures))
        failure = _failure(isolation, shared)
        if not failure:
            return isolation
        failures.append(f"{step.rung}{' with own process ids' if step.own_pids else ''}: {failure}")
    return Isolation(shortfall="; ".join(failures))


def _failure(isolation: Isolation, shared: _Shared | None) -> str:
    """What a process isolated like this can't do, "" where nothing is missing."""
    _, hears = _forked(functools.partial(_try, isolation, shared))
    heard = _heard(hears)
    sandbox.sweep(keep=[shared.pid] if shared else [])
    if heard == _WORKS:
        return ""
    return heard.decode(errors="replace") or "the process that tried it came to no end"


def _try(isolation: Isolation, shared: _Shared | None, tells: int) -> None:
    """Take the rung as a runner does, and do what runners must."""
    sandbox.prepare(isolation)
    pid = sandbox.fork_apart(isolation)
    if pid:
        os.close(tells)
        os.waitpid(pid, 0)
        return
    sandbox.die_with_parent()
    sandbox.settle(isolation)
    sandbox.lock_in(isolation, [])
    _start_programs()
    if shared is not None:
        _use_memory(shared.handle)
    os.write(tells, _WORKS)


def _start_programs() -> None:
    """They must be found and be readable: without capabilities, root can't read all that others own."""
    commands = [[sys.executable, "-S", "-c", ""]]
    commands += [[path, "--version"] for path in map(shutil.which, _PROGRAMS) if path]
    nowhere = subprocess.DEVNULL
    started = [subprocess.Popen(command, stdout=nowhere, stderr=nowhere) for command in commands]
    for command, process in zip(commands, started):
        if process.wait():
            raise OSError(f"{command[0]} ends with status {process.returncode}")


def _share_memory(tells: int) -> None:
    cuda, address = _allocated()
    handle = _IpcHandle()
    shared = cuda.cuIpcGetMemHandle(ctypes.byref(handle), address) == 0
    os.write(tells, _WORKS + (bytes(handle) if shared else b""))
    os.close(tells)
    signal.pause()


def _use_memory(handle: bytes) -> None:
    """Memory of its own, and that of another process by its handle, as trays on the device are opened."""
    cuda, _ = _allocated()
    if handle:
        address, lazily = ctypes.c_uint64(), ctypes.c_uint(1)
        _succeed(cuda, "cuIpcOpenMemHandle_v2", ctypes.byref(address), _IpcHandle.from_buffer_copy(handle), lazily)


def _allocated() -> tuple[ctypes.CDLL, ctypes.c_uint64]:
    """CUDA initialised through the driver's interface, and a little memory on its first device."""
    cuda = ctypes.CDLL("libcuda.so.1")
    device, context, address = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_uint64()
    _succeed(cuda, "cuInit", 0)
    _succeed(cuda, "cuDeviceGet", ctypes.byref(device), 0)
    _succeed(cuda, "cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
    _succeed(cuda, "cuCtxSetCurrent", context)
    _succeed(cuda, "cuMemAlloc_v2", ctypes.byref(address), ctypes.c_size_t(1 << 16))
    return cuda, address


def _succeed(cuda: ctypes.CDLL, name: str, *arguments: Any) -> None:
    error = getattr(cuda, name)(*arguments)
    if error:
        raise OSError(f"CUDA error {error} from {name}")


def _forked(run: Callable[[int], None]) -> tuple[int, int]:
    """A child that is given a descriptor to write to: its id, and where to read what it, or its error, says."""
    hears, tells = os.pipe()
    pid = os.fork()
    if pid:
        os.close(tells)
        return pid, hears
    try:
        os.close(hears)
        sandbox.die_with_parent()
        run(tells)
    except BaseException as error:  # the border of a process: whatever went wrong is the answer
        os.write(tells, (str(error) or type(error).__name__).encode()[:1000])
    finally:
        os._exit(0)


def _heard(hears: int) -> bytes:
    """All that is said until the other end is closed, or until patience ends."""
    heard, end = b"", time.monotonic() + _PATIENCE_S
    while select.select([hears], [], [], max(0.0, end - time.monotonic()))[0]:
        chunk = os.read(hears, 4096)
        if not chunk:
            break
        heard += chunk
    os.close(hears)
    return heard
