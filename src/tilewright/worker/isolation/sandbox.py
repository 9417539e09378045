"""What does a candidate's process get to see and use, and how is it made sure that nothing of it survives?

On each rung of isolation what the ones before it give, and:

- R0: a scrubbed environment, folders of its own, resource limits, its own session, bounded output and memory, and a
  keeper process that ends every descendant;
- R1: no new privileges, nothing written outside its folders, no network and no system call that it can do without;
- R2: no capabilities, so that root is as any user, and the memory of other processes is out of reach;
- R3: its own network, /dev/shm and, where it can be had, its own process ids: others are not even seen.

No rung guards the memory of the GPU, or what the user can read on the disk.
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
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tilewright.errors import WorkerError
from tilewright.worker.isolation import descendants, lockdown

_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "CUDA_HOME", "CUDA_VISIBLE_DEVICES", "PYTHONPATH")
_CACHES_KEPT = 64
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PR_SET_CHILD_SUBREAPER = 36
_FILE_BYTES = 1 << 30
_MEMORY_SHARE = 0.8
_DEVICES = ("null", "zero", "full", "random", "urandom", "nvidia*", "dxg")


@dataclass(frozen=True)
class Isolation:
    """How candidates' processes are locked in. `shortfall` says why not better, "" where nothing is missing."""

    rung: str = "R0"
    own_pids: bool = False
    unix_sockets: bool = False
    shortfall: str = ""


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
        "TRITON_HOME": str(folders.home),
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
    with contextlib.suppress(OSError):  # where the kernel runs out of memory, this process is to end, no other
        Path("/proc/self/oom_score_adj").write_text("1000")


def memory_limit() -> int:
    """Bytes that a candidate may use: 80 % of what the machine has free now."""
    available = Path("/proc/meminfo").read_text().partition("MemAvailable:")[2].split()[0]
    return int(_MEMORY_SHARE * int(available) * 1024)


def prepare(isolation: Isolation) -> None:
    """Once in the process that will call `fork_apart`, while it has no threads.

    Where it may make namespaces only within ones that are its own, it goes on in a child, and waits for that here.
    """
    if isolation.rung != "R3" or lockdown.is_admin():
        return
    lockdown.enter_user_namespace()
    if isolation.own_pids:
        lockdown.unshare(lockdown.NEW_PIDS)
        pid = os.fork()
        if pid:
            os.waitpid(pid, 0)
            os._exit(0)
        die_with_parent()
        lockdown.unshare(lockdown.NEW_MOUNTS)
        lockdown.mount_own(proc=True)


def fork_apart(isolation: Isolation) -> int:
    """As `os.fork`, for a process that will hold candidates' processes together.

    With process ids of its own the child is the init of their namespace: when it ends, the kernel ends them all.
    """
    return lockdown.fork_into_pid_namespace() if isolation.own_pids else os.fork()


def settle(isolation: Isolation) -> None:
    """Then, in that child: a network and mounts of its own."""
    if isolation.rung == "R3":
        lockdown.unshare(lockdown.NEW_NETWORK | lockdown.NEW_MOUNTS)
        lockdown.mount_own(proc=isolation.own_pids)


def lock_in(isolation: Isolation, writable: Sequence[str | Path]) -> None:
    """From here on this process and its children are held by what the rung says; there is no way back."""
    if isolation.rung == "R0":
        return
    if isolation.rung != "R1":
        lockdown.drop_capabilities()
    # CUDA names its threads through /proc/self. The rule is on that entry as long as the kernel remembers it, which
    # this descriptor sees to; it is never closed.
    own = os.open("/proc/self", os.O_PATH)
    devices = [path for name in _DEVICES for path in Path("/dev").glob(name)]
    places = list(writable)
    if isolation.rung == "R3":
        places.append("/dev/shm")
    else:
        os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"  # its processes would need semaphores, which lie there
    lockdown.confine(places, [*devices, f"/proc/self/fd/{own}"], ["/"])
    lockdown.filter_system_calls(isolation.unix_sockets)


def die_with_parent() -> None:
    """The kernel kills this process when its parent ends, however it ends."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> None:
    """Descendants whose parents end become children of this process, so that they can be found."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def kill_all(leader: int, as_init: bool) -> None:
    """A process of this one's that leads a group, and what came from it, before any of them is waited for: while one
    that was killed comes to its end, hundreds of others go on forking. What left the group is for `sweep`."""
    with contextlib.suppress(ProcessLookupError):
        if as_init:
            os.kill(-1, signal.SIGKILL)
        else:
            os.killpg(leader, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):  # before it led a group
        os.kill(leader, signal.SIGKILL)


def sweep(keep: Collection[int] = (), as_init: bool = False, seconds: float = 5.0) -> None:
    """Kill all descendants of this process but those in `keep` and theirs; reap those that became its children."""
    if as_init:  # all of its namespace at once, so that none has the time to fork
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        strays = descendants.living(but=keep)
        if not strays:
            return
        for pid in strays:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in strays:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _lower(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(kind, (value, value))


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl({option})")
