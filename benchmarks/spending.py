"""What do this process's descendants use: of the CPU, and of memory?"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_EVERY_S = 0.3
"""Between two looks at the memory, which cost a core a sixth of its time at 0.1."""
_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_s() -> float:
    """Of all descendants, and of theirs that have ended."""
    ticks = 0
    for pid in _descendants():
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(int(number) for number in fields[11:15])  # utime stime cutime cstime
    return ticks / _TICKS


@contextmanager
def peak_memory() -> Iterator[list[int]]:
    """The most bytes that all descendants held at a time, in the list's one place; shared pages count once."""
    peak, done = [0], threading.Event()

    def look() -> None:
        while not done.wait(_EVERY_S):
            peak[0] = max(peak[0], sum(map(_held, _descendants())))

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()


def _descendants() -> Iterator[int]:
    pending = [os.getpid()]
    while pending:
        for folder in Path(f"/proc/{pending.pop()}/task").glob("*"):
            try:
                children = [int(pid) for pid in (folder / "children").read_text().split()]
            except OSError:  # it has ended
                continue
            pending += children
            yield from children


def _held(pid: int) -> int:
    try:
        rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(row.split()[1]) << 10 for row in rows if row.startswith("Pss:"))
