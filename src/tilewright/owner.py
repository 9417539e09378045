"""Which process works on a run, and does that process still run?

Process ids are used again, by the next process and by the next machine of the same name, so that an owner is a
process with its birth: "570@host 3f0c...:18274". Those of older tilewrights are "570@host" alone.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")


def me() -> str:
    """This process."""
    pid = os.getpid()
    return f"{pid}@{socket.gethostname()} {birth_of(pid) or ''}".rstrip()


def alive(owner: str) -> bool:
    """Whether the process still runs. One on a host of another name is taken to; on one of this name it is looked for
    here, so that it doesn't where that was another machine, or this one before it was started anew."""
    process, _, birth = owner.partition(" ")
    pid, _, host = process.partition("@")
    if host != socket.gethostname():
        return True
    now = birth_of(int(pid))
    return now is not None and birth in ("", now)


def process_of(owner: str) -> str:
    """What people call it: "570@host"."""
    return owner.partition(" ")[0]


def birth_of(pid: int) -> str | None:
    """What tells a process from all others that have its id, before and after it; None where there is none."""
    if sys.platform == "win32":
        return _created(pid)
    if _BOOT.exists():
        return _since_boot(pid)
    # By the clock, and so for all boots.
    asked = ["ps", "-o", "lstart=", "-p", str(pid)]
    environment = {**os.environ, "LC_ALL": "C", "TZ": "UTC"}
    said = subprocess.run(asked, env=environment, capture_output=True, text=True, check=False).stdout
    return "-".join(said.split()) or None


def _since_boot(pid: int) -> str | None:
    """The boot, and the process's start in clock ticks since then: field 22 of proc_pid_stat(5). Its second field is
    a name in brackets that may hold anything."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else f"{_BOOT.read_text(encoding='ascii').strip()}:{fields[19]}"


def _created(pid: int) -> str | None:
    """When, in 100 ns since 1601 (GetProcessTimes); a process that ended may be known while somebody holds it."""
    if sys.platform != "win32":
        return None
    import ctypes
    from ctypes import wintypes

    library = getattr(ctypes, "WinDLL", None)
    if library is None:  # something else that says it is Windows
        return None
    query_limited, still_active = 0x1000, 259
    kernel32 = library("kernel32")
    kernel32.OpenProcess.restype = wintypes.HANDLE
    handle = wintypes.HANDLE(kernel32.OpenProcess(query_limited, False, pid))
    if not handle:
        return None
    code, times = wintypes.DWORD(), [wintypes.FILETIME() for _ in range(4)]
    try:
        kernel32.GetExitCodeProcess(handle, ctypes.byref(code))
        known = kernel32.GetProcessTimes(handle, *map(ctypes.byref, times))
    finally:
        kernel32.CloseHandle(handle)
    if not known or code.value != still_active:
        return None
    return str(times[0].dwHighDateTime << 32 | times[0].dwLowDateTime)
