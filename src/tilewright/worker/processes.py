"""How does the verifier start, ask and end the processes that hold candidates?

Whatever a runner does (raises, crashes, hangs, exits, breaks the protocol) comes out of `Runner.ask` as `Ended`, with
the failure that it is. `WorkerError` is for what isn't the candidate's doing: no zygote, no memory for a tray.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from tilewright.errors import WorkerError
from tilewright.protocols import Failure
from tilewright.records import CompileFailed, Crashed, Reason, Rejected, TimedOut, Unscorable
from tilewright.worker import sandbox, wire, zygote
from tilewright.worker.tray import Tray
from tilewright.worker.wire import Header

_START_S = 180.0
"""Importing torch and TileLang takes 8.5 s on an idle machine, and many times that on a cold or loaded one."""
_ENDING_S = 20.0


class Ended(Exception):
    """A candidate's way ends here; carries the failure."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure


class NotExecuted(Exception):
    """The interpreter says nothing about the candidate: `late` when its time was up, else something unknown to it."""

    def __init__(self, message: str, late: bool) -> None:
        super().__init__(message)
        self.late = late


class Deadline:
    """A point in time that moves on while nothing is done for the candidate (waiting for the GPU)."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.end = time.monotonic() + seconds

    def left(self) -> float:
        return max(0.0, self.end - time.monotonic())

    def extend(self, seconds: float) -> None:
        self.end += seconds


class Nursery:
    """The zygote, and the scratch directory of the runners that it forks. Start it from a thread that lives on."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = sandbox.Scratch(scratch)
        self._lock = threading.Lock()
        self._ready = False
        self._control, theirs = socket.socketpair()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tilewright.worker.zygote", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "PYTORCH_NVML_BASED_CUDA_CHECK": "1"},
            cwd=scratch,
        )
        theirs.close()

    def runner(self, name: str, deadline: Deadline, threads: int = 1, of_reference: bool = False) -> Runner:
        """A fresh process; `name` says which of them share a TileLang cache: those of one candidate.

        What goes wrong in a runner of the reference is the problem's fault.
        """
        self._await_zygote(deadline)
        folders = self.scratch.open(name)
        ours, line = socket.socketpair()
        leash, held = socket.socketpair()
        order: Header = {
            "environment": sandbox.runner_environment(os.environ, folders, threads),
            "work": str(folders.work),
            "cpu_s": int(deadline.left() * max(threads, os.cpu_count() or 1)) + 60,
        }
        try:
            with self._lock:
                wire.send(self._control, order, [line.fileno(), held.fileno()])
        except wire.Closed as error:
            raise WorkerError("the zygote process ended") from error
        finally:
            line.close()
            held.close()
        return Runner(ours, leash, folders, self, of_reference)

    def alive(self, settle_s: float = 0.0) -> bool:
        """Whether the zygote runs. One that was killed a moment ago may take `settle_s` to be gone."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(settle_s)
        return self._process.poll() is None

    def close(self) -> None:
        self._control.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_ENDING_S)
        self._process.kill()
        self._process.wait()
        self.scratch.remove()

    def _await_zygote(self, deadline: Deadline) -> None:
        with self._lock:
            if self._ready:
                return
            start = time.monotonic()
            readable, _, _ = select.select([self._control], [], [], _START_S)
            if not readable or self._control.recv(1) != zygote.READY:
                raise WorkerError("the zygote process did not start: can torch and tilelang be imported?")
            self._ready = True
            deadline.extend(time.monotonic() - start)


class Runner:
    """The verifier's end of one runner process."""

    def __init__(
        self,
        line: socket.socket,
        leash: socket.socket,
        folders: sandbox.Folders,
        nursery: Nursery,
        of_reference: bool = False,
    ) -> None:
        self._line = line
        self._leash = leash
        self._folders = folders
        self._nursery = nursery
        self._trays: dict[str, Tray] = {}
        self._doing = ""
        self._of_reference = of_reference
        self.usable = True
        """Whether it answered everything that it was asked."""

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def ask(
        self, request: Header, deadline: Deadline, limit: int = wire.MAX_HEADER, descriptors: Sequence[int] = ()
    ) -> Header:
        self.post(request, descriptors)
        return self.answer(deadline, limit)

    def post(self, request: Header, descriptors: Sequence[int] = ()) -> None:
        self._doing = _DOING.get(request["op"], "it was asked for an answer")
        with contextlib.suppress(wire.Closed):  # how it ended is told by `answer`
            wire.send(self._line, request, descriptors)

    def answer(self, deadline: Deadline, limit: int = wire.MAX_HEADER) -> Header:
        try:
            return self._answer(deadline, limit)
        except Ended as ended:
            self.usable = False
            if not self._of_reference:
                raise
            text = getattr(ended.failure, "message", str(ended.failure))
            raise Ended(Unscorable(f"the reference failed in a process of its own: {text}")) from ended

    def _answer(self, deadline: Deadline, limit: int) -> Header:
        try:
            header = wire.receive(self._line, deadline.end, limit)
        except wire.Late:
            message = f"no answer within {deadline.seconds:.0f} s while {self._doing}"
            raise Ended(TimedOut(message, deadline.seconds)) from None
        except wire.Closed:
            raise Ended(Crashed(self._ending())) from None
        except wire.BadFrame as error:
            raise Ended(Crashed(f"wrote to the evaluator's channel: {error}")) from None
        if "error" in header:
            _raise_told(header)
        return header

    def trays(self, deadline: Deadline, **sizes: int) -> None:
        """Make sure that the trays of those names have at least those sizes in bytes."""
        made: dict[str, Tray] = {}
        for name, size in sizes.items():
            present = self._trays.get(name)
            if present is None or present.size < size:
                try:
                    made[name] = Tray.create(size)
                except OSError as error:
                    raise WorkerError(f"no memory for {size} bytes of tensors: {error}") from error
        if made:
            names = list(made)
            descriptors = [made[name].descriptor for name in names]
            self.ask({"op": "trays", "names": names}, deadline, descriptors=descriptors)
            for name in names:
                if name in self._trays:
                    self._trays.pop(name).close()
            self._trays.update(made)

    def tray(self, name: str) -> Tray:
        return self._trays[name]

    def close(self) -> None:
        """End it and all that came from it, and remove its folders; once is enough."""
        if self._line.fileno() < 0:
            return
        self._line.close()
        with contextlib.suppress(OSError):
            self._leash.shutdown(socket.SHUT_WR)
        self._last_words()
        self._leash.close()
        for tray in self._trays.values():
            tray.close()
        self._trays.clear()
        self._nursery.scratch.close(self._folders)

    def _ending(self) -> str:
        status, printed = self._last_words()
        if status is None and not self._nursery.alive(settle_s=0.5):
            raise WorkerError("the zygote process ended")
        if status is None:
            how = "the process and its keeper were killed"
        elif os.WIFSIGNALED(status):
            how = f"killed by {_signal_name(os.WTERMSIG(status))}"
        else:
            how = f"the process exited with status {os.waitstatus_to_exitcode(status)}"
        last = printed.strip().rpartition("\n")[2][-300:]
        return f"{how} while {self._doing}" + (f"; last printed: {last}" if last else "")

    def _last_words(self) -> tuple[int | None, str]:
        data, end = b"", time.monotonic() + _ENDING_S
        while True:
            readable, _, _ = select.select([self._leash], [], [], max(0.0, end - time.monotonic()))
            chunk = self._leash.recv(1 << 16) if readable else b""
            if not chunk:
                break
            data += chunk
        if len(data) < zygote.ENDING.size:
            return None, ""
        status, _ = zygote.ENDING.unpack_from(data)
        return status, wire.printable(data[zygote.ENDING.size :].decode(errors="replace"))


_DOING = {
    "load": "the kernel file was imported",
    "construct": "it was constructed",
    "call": "forward ran",
    "time": "forward was timed",
    "inspect": "its kernels were compiled",
}


def _raise_told(header: Header) -> None:
    """What the candidate's process says of an exception, as the failure or the silence that it stands for."""
    try:
        told = wire.field(header, "error", dict)
        kind = wire.field(told, "kind", str)
        message = wire.printable(wire.field(told, "message", str))
        rule = wire.printable(wire.field(told, "rule", str), 80)
        line = told.get("line")
        if type(line) is not int or line < 1:
            line = None
    except wire.BadFrame as error:
        raise Ended(Crashed(f"wrote to the evaluator's channel: {error}")) from None
    if kind == "machinery":
        raise WorkerError(f"gathering facts failed: {message}")
    if kind in ("unsupported", "late"):
        raise NotExecuted(message, late=kind == "late")
    if kind == "fault":
        raise Ended(Rejected("semantic", (Reason(rule, message, line),)))
    if kind == "compile":
        raise Ended(CompileFailed(message, line))
    raise Ended(Crashed(message if line is None else f"{message} (line {line})"))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
