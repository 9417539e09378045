"""How does the main process talk to the worker processes, without importing what they import?

`WorkerHost.call` sends a request to a host process (``python -m tilewright.worker``), started at the first call and
again after it died. What a dead host was asked its successor is asked once more. The answers are JSON of records. All
that fails here is the machinery's: `WorkerError`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal, Protocol

from tilewright.errors import WorkerError
from tilewright.hardware import cores

Answer = dict[str, Any]
"""Plain JSON; what is in it depends on the operation, and becomes records at the caller's."""

_PASSED_ON = (
    "PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "CUDA_HOME", "CUDA_PATH", "CUDA_VISIBLE_DEVICES", "HOME", "TMPDIR",
    "LANG", "LC_ALL", "SYSTEMROOT",
)  # fmt: skip
"""The only variables that the host gets: keys stay here."""
_SILENCE_S = 300.0
"""How long past the longest deadline a host may say nothing before it is taken for hung."""
_ENDING_S = 30.0


class Host(Protocol):
    """The end of the line to worker processes, here or elsewhere. `jobs` requests are worked on at a time."""

    jobs: int

    def call(self, op: str, payload: Answer, deadline_s: float) -> Future[Answer]: ...

    def close(self) -> None: ...


@dataclass
class _Pending:
    request: Answer
    future: Future[Answer]
    deaths: int = 0
    """How many hosts died while they had it."""


@dataclass
class _Host:
    """One life of the host process."""

    process: subprocess.Popen[str]
    log: IO[bytes]
    scratch: Path
    pending: dict[int, _Pending] = field(default_factory=dict)
    heard: float = field(default_factory=time.monotonic)
    reader: threading.Thread | None = None
    hung: bool = False


class WorkerHost:
    """The worker processes of one run, or those for one GPU of it: `visible`, as CUDA_VISIBLE_DEVICES names it.

    `jobs` requests are worked on at a time; by default one a core. Calls may come from any thread. `close` ends every
    process and removes the scratch directory.
    """

    def __init__(
        self, device: Literal["cuda", "cpu"], gpu: str = "", jobs: int | None = None, visible: str = ""
    ) -> None:
        self.device = device
        self.gpu = gpu
        self._visible = {"CUDA_VISIBLE_DEVICES": visible} if visible else {}
        self.jobs = jobs or cores()
        self._lock = threading.Lock()
        self._host: _Host | None = None
        self._number = 0
        self._closed = False

    def __enter__(self) -> WorkerHost:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def call(self, op: str, payload: Answer, deadline_s: float) -> Future[Answer]:
        """The future raises `WorkerError` for what isn't a candidate's doing, such as the death of two hosts."""
        future: Future[Answer] = Future()
        future.set_running_or_notify_cancel()
        with self._lock:
            self._number += 1
            request = {"id": self._number, "op": op, "payload": payload, "deadline_s": deadline_s}
            self._ask(_Pending(request, future))
        return future

    def close(self) -> None:
        with self._lock:
            self._closed = True
            host, self._host = self._host, None
        if host is not None:
            _end(host)

    def _ask(self, pending: _Pending) -> None:
        """To be called with the lock held."""
        if self._closed:
            raise WorkerError("the worker processes were closed")
        try:
            host = self._living_host()
        except OSError as error:
            raise WorkerError(f"no worker process can be started: {error}") from error
        if not host.pending:
            host.heard = time.monotonic()
        host.pending[pending.request["id"]] = pending
        with contextlib.suppress(OSError):  # the host died: its reader takes care of this request with the others
            _requests(host).write(json.dumps(pending.request) + "\n")
            _requests(host).flush()

    def _living_host(self) -> _Host:
        if self._host is not None and self._host.process.poll() is None:
            return self._host
        scratch = Path(tempfile.mkdtemp(prefix="tilewright-"))
        log = tempfile.TemporaryFile()  # noqa: SIM115  (lives as long as the process that writes to it)
        process = subprocess.Popen(
            [sys.executable, "-m", "tilewright.worker", self.device, str(self.jobs), str(scratch)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            encoding="utf-8",
            env={**_environment(), **self._visible, "TORCHINDUCTOR_CACHE_DIR": str(scratch / "inductor")},
            cwd=scratch,
            start_new_session=os.name == "posix",  # Ctrl-C is for the main process, which then closes this one
        )
        host = _Host(process, log, scratch)
        host.reader = threading.Thread(target=self._read, args=(host,), name="tilewright-replies", daemon=True)
        host.reader.start()
        threading.Thread(target=self._watch, args=(host,), name="tilewright-watch", daemon=True).start()
        self._host = host
        return host

    def _read(self, host: _Host) -> None:
        """Hand each reply to its future until the host ends."""
        assert host.process.stdout is not None
        for line in host.process.stdout:
            if not line.endswith("\n"):  # it died while it wrote
                break
            reply = json.loads(line)
            host.heard = time.monotonic()
            if "started" in reply:
                continue
            with self._lock:
                pending = host.pending.pop(reply["id"])
            if "error" in reply:
                pending.future.set_exception(WorkerError(reply["error"]))
            else:
                pending.future.set_result(reply["answer"])
        host.process.wait()
        with self._lock:
            lost = list(host.pending.values())
            host.pending.clear()
            if self._host is host:
                self._host = None
        shutil.rmtree(host.scratch, ignore_errors=True)
        message = f"the worker process ended with status {host.process.returncode}{_last_lines(host.log)}"
        for pending in lost:
            pending.deaths += 1
            self._ask_again(pending, WorkerError(message), give_up=host.hung or pending.deaths > 1)
        host.process.stdout.close()
        host.log.close()
        with contextlib.suppress(OSError):
            _requests(host).close()

    def _ask_again(self, pending: _Pending, why: WorkerError, give_up: bool) -> None:
        if not give_up:
            with contextlib.suppress(WorkerError), self._lock:  # closed meanwhile, or none can be started
                return self._ask(pending)
        pending.future.set_exception(why)

    def _watch(self, host: _Host) -> None:
        """End a host that has been silent for longer than anything asked of it may take."""
        while host.process.poll() is None:
            with self._lock:
                longest = max((one.request["deadline_s"] for one in host.pending.values()), default=None)
                silent = time.monotonic() - host.heard
            if longest is not None and silent > longest + _SILENCE_S:
                host.hung = True
                host.process.kill()
            try:
                host.process.wait(2.0)
            except subprocess.TimeoutExpired:
                continue


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    package = str(Path(__file__).resolve().parent.parent)  # found also where it is not installed
    present = [path for path in kept.get("PYTHONPATH", "").split(os.pathsep) if path]
    kept["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([package, *present]))
    return kept


def _requests(host: _Host) -> IO[str]:
    assert host.process.stdin is not None
    return host.process.stdin


def _end(host: _Host) -> None:
    with contextlib.suppress(OSError):
        _requests(host).close()  # its end is the host's
    try:
        host.process.wait(_ENDING_S)
    except subprocess.TimeoutExpired:
        host.process.kill()
    if host.reader is not None:
        host.reader.join(_ENDING_S)


def _last_lines(log: IO[bytes]) -> str:
    size = log.seek(0, os.SEEK_END)
    log.seek(max(0, size - 2000))
    text = log.read().decode(errors="replace").strip()
    return f":\n{text}" if text else ""
