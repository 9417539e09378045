"""Which processes came from this one, and how much memory do they hold?

From /proc, whose */children not every kernel keeps. The process is to be a child subreaper: its descendants remain
its descendants then, whatever they do, and nobody else's become its.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import time
from collections.abc import Collection
from pathlib import Path

MOST_PROCESSES = 128
"""Compilers of a forward need dozens."""
_MOST_ASKED = 64
"""Of more processes nobody asks what each holds. It takes long where they fork: both need the same lock."""
_ASKING_S = 0.3
_LEFT_SHARE = 0.1


def living(but: Collection[int] = ()) -> list[int]:
    """All descendants of this process, except those processes and their descendants."""
    children: dict[int, list[int]] = {}
    for pid in _processes():
        parent = _parent(pid)
        if parent is not None:
            children.setdefault(parent, []).append(pid)
    found, new = [], [os.getpid()]
    while new:
        new = [child for pid in new for child in children.get(pid, ()) if child not in but]
        found += new
    return found


class Watch:
    """Says when the descendants of this process become too many or hold too much. Make it before the first of them.

    Each look costs little: a process that isn't a descendant is asked for its parent but once.
    """

    def __init__(self, memory_bytes: int) -> None:
        self._memory_bytes = memory_bytes
        self._others = _processes() - {os.getpid()}
        self._found: set[int] = set()

    def excess(self) -> str:
        """What is too much, "" while nothing is."""
        self._look()
        if len(self._found) > MOST_PROCESSES:
            return f"started more than {MOST_PROCESSES} processes"
        # Pages shared among them are counted several times at first, and exactly where that matters.
        if sum(map(_resident, self._found)) > self._memory_bytes and self._holds_too_much():
            return f"used more than {self._memory_bytes / 1e9:.3g} GB of memory"
        return ""

    def _look(self) -> None:
        present = _processes()
        self._others &= present
        self._found &= present
        parents = {pid: _parent(pid) for pid in present - self._others - self._found}
        mine = {os.getpid()} | self._found
        while True:
            known = {pid for pid, parent in parents.items() if parent in mine}
            if not known - self._found:
                break
            self._found |= known
            mine |= known
        # One whose parent ended in the meantime gets another, and is looked at again.
        self._others |= {pid for pid, parent in parents.items() if parent in self._others or parent == 0}

    def _holds_too_much(self) -> bool:
        """Of many processes: whether the machine has little left. Where asking them takes too long: not yet."""
        if len(self._found) > _MOST_ASKED:
            return _share_available() < _LEFT_SHARE
        held, end = 0, time.monotonic() + _ASKING_S
        for pid in self._found:
            held += _proportional(pid)
            if held > self._memory_bytes:
                return True
            if time.monotonic() > end:
                break
        return False


def _processes() -> set[int]:
    return {int(name) for name in os.listdir("/proc") if name.isdigit()}


def _parent(pid: int) -> int | None:
    with contextlib.suppress(OSError):  # ended in the meantime
        stat = Path("/proc", str(pid), "stat").read_text(errors="replace")
        return int(stat.rpartition(")")[2].split()[1])
    return None


def _share_available() -> float:
    """Of the machine's memory."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    kib = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    return kib["MemAvailable"] / kib["MemTotal"]


def _resident(pid: int) -> int:
    with contextlib.suppress(OSError):
        return int(Path("/proc", str(pid), "statm").read_text().split()[1]) * mmap.PAGESIZE
    return 0


def _proportional(pid: int) -> int:
    """Its memory, with its part of what it shares with others."""
    with contextlib.suppress(OSError):
        rollup = Path("/proc", str(pid), "smaps_rollup").read_text()
        return int(rollup.partition("\nPss:")[2].split()[0]) * 1024
    return _resident(pid)
