"""What runs without a worker process, as on a system that isn't Linux: other_system.py PLATFORM TASK FOLDER

What such systems lack is taken away before tilewright is imported; only `os.name` stays, on which `pathlib` depends.
"""

from __future__ import annotations

import concurrent.futures
import ctypes  # noqa: F401
import importlib.abc
import json
import os
import signal
import socket
import sqlite3  # noqa: F401
import subprocess  # noqa: F401
import sys
import tempfile
import uuid  # noqa: F401
from dataclasses import replace
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import click  # noqa: F401
import rich.console  # noqa: F401

LACKING = ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "torch", "tilelang")
LACKING_OF = {
    os: (
        "fork forkpty posix_spawn setsid getsid getuid geteuid getgid getegid getpgid killpg chown uname sysconf "
        "getloadavg memfd_create sched_getaffinity sched_setaffinity pidfd_open pipe2 openpty wait3 wait4 "
        "set_blocking"
    ),
    signal: "SIGKILL SIGCHLD SIGALRM SIGUSR1 setitimer set_wakeup_fd pthread_kill",
    socket: "AF_UNIX send_fds recv_fds",
}


class Without(importlib.abc.MetaPathFinder):
    """Finds what `finder` does, but for what is lacking."""

    def __init__(self, finder: Any) -> None:
        self._finder = finder

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        return None if name.partition(".")[0] in LACKING else self._finder.find_spec(name, path, target)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._finder, name)


def become(platform: str) -> None:
    tempfile.gettempdir()
    for name in LACKING:
        sys.modules.pop(name, None)
    sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
    for module, names in LACKING_OF.items():
        for name in names.split():
            if hasattr(module, name):
                delattr(module, name)
    sys.platform = platform


def command_line(*arguments: str) -> None:
    from tilewright.cli import main

    main(list(arguments))


def check(folder: Path) -> None:
    """The static part of it, on a shipped kernel and on one that gives itself away."""
    from tilewright.gates.static import StaticGate
    from tilewright.kernelfile import load_kernel
    from tilewright.problems import problem_for
    from tilewright.records import Candidate, Evidence

    kernel = load_kernel("level2/2_12.py")
    problem = problem_for(kernel)
    bad = Candidate("import os\nos.fork()\n" + kernel.candidate.source)
    failures = [StaticGate().check(one, problem, Evidence()).failure for one in (kernel.candidate, bad)]
    print(json.dumps([failure.outcome if failure else None for failure in failures]))


def optimize(folder: Path) -> None:
    """A run with the real proposers, gate, store and reports, and an evaluator that takes numbers from the source."""
    from tilewright.gates.static import StaticGate
    from tilewright.hardware import load_gpu
    from tilewright.kernelfile import load_kernel
    from tilewright.problems import problem_for
    from tilewright.proposers.rewrites import RewriteProposer
    from tilewright.proposers.tuner import KnobTuner
    from tilewright.records import Estimate, Estimated, Evaluation, Job, Run, WorkloadEstimate
    from tilewright.report.history import HistoryFile
    from tilewright.report.output import save_best
    from tilewright.search.loop import continue_run
    from tilewright.search.parts import Parts
    from tilewright.search.stopping import StopRules
    from tilewright.store import Store

    class Counting:
        name = "counting"

        def submit(self, job: Job) -> concurrent.futures.Future[Evaluation]:
            ms = 1.0 + int(job.candidate.id[:4], 16) / 65536
            future: concurrent.futures.Future[Evaluation] = concurrent.futures.Future()
            row = WorkloadEstimate("default", 1.0, ms, ms / 2, ms * 2, 0.1, "memory")
            future.set_result(Estimated(Estimate((row,), "H100", "counted", False)))
            return future

        def close(self) -> None: ...

    kernel = load_kernel("level2/2_12.py")
    problem = problem_for(kernel)
    store = Store(folder / "tilewright.db")
    run = Run("r1", problem, str(kernel.path), (), "counting", "H100", "2026-01-01T00:00:00Z")
    store.begin(run)
    store.take("r1")
    watcher = HistoryFile(folder / "logs")
    watcher.started(run)
    parts = Parts(
        gates=[StaticGate()],
        evaluator=Counting(),
        analyze=lambda *_: (),
        structure_proposers=[RewriteProposer()],
        tuner=KnobTuner(load_gpu("H100"), 8),
        memory=store,
        watcher=watcher,
        stop=StopRules(1.5, 0.0, 9, 2),
        candidates_per_turn=2,
        tune_budget=4,
    )
    ended = continue_run(run, kernel.candidate, parts)
    copied = replace(kernel, path=folder / kernel.path.name)
    saved = save_best(ended, copied, folder)
    stored = Store(folder / "tilewright.db").load("r1")
    entries = json.loads(watcher.path(ended).read_text(encoding="utf-8"))
    print(json.dumps([ended.stop_reason, len(stored.attempts), len(entries), saved.name if saved else None]))


if __name__ == "__main__":
    become(sys.argv[1])
    task, where = sys.argv[2], Path(sys.argv[3])
    if task in ("check", "optimize"):
        {"check": check, "optimize": optimize}[task](where)
    else:
        command_line(*task.split())
