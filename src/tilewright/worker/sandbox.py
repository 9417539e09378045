"""What does a candidate's process get to see and use, and how is it made sure that nothing of it survives?

This is rung R0: a scrubbed environment, folders of its own, resource limits, its own session, bounded output, and a
keeper process that ends every descendant. It does not guard files that the user can write, the network, other
processes of the same user, or device memory.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import shutil
import signal
import threading
import time
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from tilewright.errors import WorkerError

RUNG = "R0"
RUNG_NOTE = "isolation R0: own process, scrubbed environment, private folders, resource limits"

_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "CUDA_HOME", "CUDA_VISIBLE_DEVICES", "PYTHONPATH", "LANG")
_CACHES_KEPT = 64
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PR_SET_CHILD_SUBREAPER = 36
_FILE_BYTES = 1 << 30


@dataclass(frozen=True)
class Folders:
    """The folders of one runner. `cache` outlives it: later runners of the same candidate find it."""

    root: Path
    cache: Path

    @property
    def work(self) -> Path:
        return self.root / "work"

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def temporary(self) -> Path:
        return self.root / "tmp"


class Scratch:
    """The scratch directory of a host: folders for each runner, and a TileLang cache for each candidate.

    A cache is used again by the same candidate alone. The oldest are removed when there are more than 64.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._made = 0
        self._removed = False
        self._caches: OrderedDict[str, int] = OrderedDict()

    def open(self, candidate_id: str) -> Folders:
        with self._lock:
            if self._removed:
                raise WorkerError("the worker processes are being ended")
            self._made += 1
            folders = Folders(self._root / f"r{self._made}", self._root / "caches" / candidate_id)
            self._caches[candidate_id] = self._caches.pop(candidate_id, 0) + 1
            for folder in (folders.work, folders.home, folders.temporary, folders.cache):
                folder.mkdir(parents=True, exist_ok=True)
        return folders

    def close(self, folders: Folders) -> None:
        shutil.rmtree(folders.root, ignore_errors=True)
        with self._lock:
            name = folders.cache.name
            self._caches[name] -= 1
            unused = [key for key, users in self._caches.items() if not users]
            for key in unused[: max(0, len(self._caches) - _CACHES_KEPT)]:
                del self._caches[key]
                shutil.rmtree(self._root / "caches" / key, ignore_errors=True)

    def remove(self) -> None:
        with self._lock:
            self._removed = True
        shutil.rmtree(self._root, ignore_errors=True)


def runner_environment(source: Mapping[str, str], folders: Folders, threads: int) -> dict[str, str]:
    """At most 12 variables: what compilers and the driver need to be found, and the private folders."""
    kept = {name: source[name] for name in _PASSED_ON if name in source}
    return {
        **kept,
        "HOME": str(folders.home),
        "TMPDIR": str(folders.temporary),
        "TILELANG_CACHE_DIR": str(folders.cache),
        "TILELANG_TMP_DIR": str(folders.temporary),
        "OMP_NUM_THREADS": str(threads),
        "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
    }


def limit_resources(cpu_s: int) -> None:
    """Limits for this process and its children. Address space is not limited: CUDA reserves terabytes of it."""
    _lower(resource.RLIMIT_CPU, cpu_s)
    _lower(resource.RLIMIT_FSIZE, _FILE_BYTES)
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NOFILE, 4096)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writing too much is then an OSError


def die_with_parent() -> None:
    """The kernel kills this process when its parent ends, however it ends."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> None:
    """Descendants whose parents end become children of this process, so that they can be found."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def sweep(keep: Collection[int] = (), seconds: float = 5.0) -> None:
    """Kill and reap all children of this process (orphaned descendants among them) but those in `keep`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        strays = [pid for pid in _children() if pid not in keep]
        if not strays:
            return
        for pid in strays:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in strays:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _children() -> list[int]:
    """From /proc/*/stat, which is there also where the kernel keeps no /proc/*/children."""
    me, children = os.getpid(), []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            stat = Path("/proc", name, "stat").read_text(errors="replace")
        except OSError:
            continue  # ended in the meantime
        if int(stat.rpartition(")")[2].split()[1]) == me:
            children.append(int(name))
    return children


def _lower(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(kind, (value, value))


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl({option})")
