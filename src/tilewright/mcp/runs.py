"""Which runs go on for an agent? Each is a child process that tells what happens in it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tilewright.config import OptimizationConfig, to_pairs
from tilewright.errors import UsageError

AT_ONCE = 2
"""Runs that go on at the same time; on one GPU they take turns, and each compiles on all cores."""
_START_S = 120.0
_STOP_S = 60.0
"""How long runs are waited for when all must end: each finishes with the kernel in hand."""


@dataclass
class Child:
    """A run's process and what it told. Written by one thread, which notifies `changed`."""

    process: subprocess.Popen[str]
    changed: threading.Condition = field(default_factory=threading.Condition)
    run: str = ""
    tried: list[str] = field(default_factory=list)
    """Attempts and what became of them, in words."""
    doing: str = ""
    """What it did last, in words."""
    saved: str | None = None
    failed: str = ""
    asked_to_stop: bool = False
    ended: bool = False


class Runs:
    """Starts and stops runs in the folder `root`. They end when this is closed, and can be resumed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._children: list[Child] = []

    def start(self, config: OptimizationConfig, resume: str = "") -> Child:
        """Returns as soon as the run has an id. Raises `UsageError` with what it failed of before that."""
        going = [child for child in self._children if not child.ended]
        if len(going) >= AT_ONCE:
            ids = ", ".join(child.run for child in going)
            raise UsageError(f"{len(going)} runs go on already ({ids}). Wait for one (watch_run), or stop_run it.")
        process = subprocess.Popen(
            [sys.executable, "-m", "tilewright.mcp.one_run"],
            cwd=self._root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C at the server stops it by the end of its input, once
        )
        child = Child(process)
        self._children.append(child)
        threading.Thread(target=_listen, args=(child,), daemon=True).start()
        assert process.stdin is not None
        process.stdin.write(json.dumps({"resume": resume, "options": to_pairs(config)}) + "\n")
        process.stdin.flush()
        with child.changed:
            child.changed.wait_for(lambda: child.run or child.ended, _START_S)
            if not child.run:
                _ask_to_stop(child)
                raise UsageError(child.failed or f"the run had not begun after {_START_S:.0f} s")
        return child

    def of(self, run: str) -> Child | None:
        """The newest process that worked on a run."""
        return next((child for child in reversed(self._children) if child.run == run), None)

    def stop(self, run: str, wait_s: float) -> None:
        """Returns when the run has stopped, or after `wait_s`: it finishes with the kernel in hand first."""
        child = self.of(run)
        if child is None or child.ended:
            raise UsageError(f"run {run} doesn't go on here, so there is nothing to stop. See: list_runs")
        _ask_to_stop(child)
        with child.changed:
            child.changed.wait_for(lambda: child.ended, wait_s)

    def close(self) -> None:
        for child in self._children:
            _ask_to_stop(child)
        deadline = time.monotonic() + _STOP_S
        for child in self._children:
            try:
                child.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()


def _listen(child: Child) -> None:
    assert child.process.stdout is not None
    with child.process.stdout as told:
        for line in told:
            with child.changed:
                _hear(child, json.loads(line))
                child.changed.notify_all()
    child.process.wait()
    with child.changed:
        child.ended = True
        child.failed = child.failed or ("" if child.run else "its process died; the server's log says of what")
        child.changed.notify_all()


def _hear(child: Child, event: dict[str, Any]) -> None:
    match event["event"]:
        case "started":
            child.run = event["run"]
        case "tried":
            child.tried.append(event["text"])
        case "doing":
            child.doing = event["text"]
        case "ended":
            child.saved = event["saved"]
        case "failed":
            child.failed = event["message"]


def _ask_to_stop(child: Child) -> None:
    child.asked_to_stop = True
    if child.process.stdin is not None:
        child.process.stdin.close()
