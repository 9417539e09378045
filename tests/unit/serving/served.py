"""`tilewright serve` as a process, and runs to be shown."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tilewright.records import Run
from tilewright.store import FILE, Store


class Served:
    """The server over a folder, at a port that is free. It can be stopped and started again at the same one."""

    def __init__(self, results: Path, *options: str, **environment: str) -> None:
        self._results, self._options = results, options
        self._environment = {**os.environ, **environment}
        self.port = 0
        self.start()

    def start(self) -> None:
        command = ["-m", "tilewright", "serve", "--results", str(self._results), "--port", str(self.port)]
        self._process = subprocess.Popen(
            [sys.executable, *command, *self._options], stdout=subprocess.PIPE, text=True, env=self._environment
        )
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().strip()
        self.port = int(self.address.split("/")[2].rpartition(":")[2])

    def stop(self) -> int:
        """By Ctrl-C; the exit code."""
        self._process.send_signal(signal.SIGINT)
        code = self._process.wait(20)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code


def stored(results: Path, run: Run, ended: bool = True) -> None:
    """Put a run into the store there."""
    store = Store(results / FILE)
    store.begin(run)
    for attempt in run.attempts:
        store.append(run.id, attempt)
    if ended:
        store.finish(run)
    store.close()
