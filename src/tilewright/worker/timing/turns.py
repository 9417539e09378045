"""Who may use the GPU now?

Either one alone, who is being timed, or a few beside one another. Each brings up to a dozen processes, which get the
device in slices, and what they are asked passes through one interpreter lock here. On an H200 a comparison took 20 s
where sixteen shared a turn and some compiled in theirs, and 3.5 s by itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from tilewright.worker.processes.nursery import Deadline

_BESIDE_ONE_ANOTHER = 2
"""So many, of one host: one uses the device while the other is drawing, comparing or starting a process."""


@contextlib.contextmanager
def alone(device: str, deadline: Deadline, doing: str) -> Iterator[None]:
    """Nobody else uses this GPU meanwhile, of all runs on this machine. The wait for it is not counted against the
    deadline, which keeps for how long it was used while `doing` that."""
    with _in_turn(device, deadline, doing, shared=False):
        yield


@contextlib.contextmanager
def beside_others(device: str, deadline: Deadline, doing: str) -> Iterator[None]:
    """Nobody is timed on this GPU meanwhile; others may use it as well."""
    with _in_turn(device, deadline, doing, shared=True):
        yield


@contextlib.contextmanager
def _in_turn(device: str, deadline: Deadline, doing: str, shared: bool) -> Iterator[None]:
    if device != "cuda":
        yield
        return
    start = time.monotonic()
    with _QUEUE.turn(shared):
        deadline.extend(time.monotonic() - start)
        with _locked(deadline, fcntl.LOCK_SH if shared else fcntl.LOCK_EX):
            begun = time.monotonic()
            try:
                yield
            finally:
                deadline.on_gpu_s[doing] += time.monotonic() - begun


class Queue:
    """A lock for one or for so many who share it, in the order in which it was asked for: neither kind waits for
    those who came later."""

    def __init__(self, sharing: int) -> None:
        self._sharing = sharing
        self._changed = threading.Condition()
        self._asked = 0
        self._present: dict[int, bool] = {}
        """Who waits or has it, by number, and whether shared."""

    @contextlib.contextmanager
    def turn(self, shared: bool = False) -> Iterator[None]:
        with self._changed:
            number, self._asked = self._asked, self._asked + 1
            self._present[number] = shared
            self._changed.wait_for(lambda: self._may_begin(number))
        try:
            yield
        finally:
            with self._changed:
                del self._present[number]
                self._changed.notify_all()

    def _may_begin(self, number: int) -> bool:
        before = [shared for earlier, shared in self._present.items() if earlier < number]
        return not before or (self._present[number] and all(before) and len(before) < self._sharing)


_QUEUE = Queue(_BESIDE_ONE_ANOTHER)


@contextlib.contextmanager
def _locked(deadline: Deadline, how: int) -> Iterator[None]:
    """A lock on a file named after the GPU, for the runs of other processes."""
    uuid = str(torch.cuda.get_device_properties(0).uuid)
    start = time.monotonic()
    with in_line(Path(tempfile.gettempdir(), f"tilewright-gpu-{uuid}"), how):
        deadline.extend(time.monotonic() - start)
        yield


@contextlib.contextmanager
def in_line(path: Path, how: int) -> Iterator[None]:
    """A lock on a file. Whoever waits for it alone stands in the door, so that those who share it can't keep it among
    themselves for ever."""
    with _opened(path.with_suffix(".door")) as door, _opened(path.with_suffix(".lock")) as room:
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(room, how)
        fcntl.flock(door, fcntl.LOCK_UN)
        yield


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    """What is locked on it is let go with it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        with contextlib.suppress(PermissionError):  # another user's file; it was made writable for all then
            os.chmod(path, 0o666)
        yield descriptor
    finally:
        os.close(descriptor)
