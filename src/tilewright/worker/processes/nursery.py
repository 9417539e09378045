"""How does the verifier start, ask and end the processes that hold candidates?

Whatever a runner does (raises, crashes, hangs, exits, breaks the protocol) comes out of `Runner.ask` as `Ended`, with
the failure that it is. `WorkerError` is for what isn't the candidate's doing: no zygote, no memory for a tray.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from tilewright.errors import WorkerError
from tilewright.protocols import Failure
from tilewright.records import CompileFailed, Crashed, Reason, Rejected, TimedOut, Unscorable
from tilewright.worker.exchange import wire
from tilewright.worker.exchange.devicetray import DeviceTray
from tilewright.worker.exchange.driver import DriverError
from tilewright.worker.exchange.gate import SIZE as GATE_BYTES
from tilewright.worker.exchange.gate import Gate
from tilewright.worker.exchange.tray import Tray
from tilewright.worker.exchange.wire import Header
from tilewright.worker.isolation import sandbox
from tilewright.worker.processes import zygote

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
        self.on_gpu_s: defaultdict[str, float] = defaultdict(float)
        """What was spent with a turn on the GPU, by what was being done."""

    def left(self) -> float:
        return max(0.0, self.end - time.monotonic())

    def extend(self, seconds: float) -> None:
        self.end += seconds


class Nursery:
    """The zygote, and the scratch directory of the runners that it forks. Start it from a thread that lives on."""

    def __init__(
        self,
        scratch: Path,
        most_rung: str = "R3",
        memory_bytes: int | None = None,
        device_trays: bool = False,
    ) -> None:
        self.scratch = sandbox.Scratch(scratch)
        self._memory_bytes = memory_bytes or sandbox.memory_limit()
        self._isolation: sandbox.Isolation | None = None
        self.device_trays = device_trays
        self._lock = threading.Lock()
        self._ready = False
        self._control, theirs = socket.socketpair()
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tilewright.worker.processes.zygote",
                str(theirs.fileno()),
                str(scratch),
                most_rung,
            ],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "PYTORCH_NVML_BASED_CUDA_CHECK": "1"},
            cwd=scratch,
        )
        theirs.close()

    def runner(
        self, name: str, deadline: Deadline, threads: int = 1, whose: str = "", on_device: bool = True
    ) -> Runner:
        """A fresh process; `name` says which of them share a TileLang cache: those of one candidate.
        One that is not `on_device` uses the CPU alone.

        What goes wrong in a runner of the reference (or of what else `whose` says) is the problem's fault.
        """
        self._await_zygote(deadline)
        folders = self.scratch.open(name)
        ours, line = socket.socketpair()
        leash, held = socket.socketpair()
        order: Header = {
            "environment": sandbox.runner_environment(os.environ, folders, threads),
            "work": str(folders.work),
            "writable": [str(folders.root), str(folders.cache)],
            "memory_bytes": self._memory_bytes,
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
        return Runner(ours, leash, folders, self, whose, on_device)

    @property
    def isolation(self) -> sandbox.Isolation:
        """How the runners are locked in: what the zygote found out before it did anything else."""
        with self._lock:
            return self._hear_isolation()

    @property
    def rung(self) -> str:
        return self.isolation.rung

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

    def _hear_isolation(self) -> sandbox.Isolation:
        if self._isolation is None:
            try:
                told = wire.receive(self._control, time.monotonic() + _START_S)
            except (wire.Closed, wire.Late) as error:
                raise WorkerError("the zygote process did not start") from error
            self._isolation = sandbox.Isolation(**told)
        return self._isolation

    def _await_zygote(self, deadline: Deadline) -> None:
        with self._lock:
            if self._ready:
                return
            start = time.monotonic()
            self._hear_isolation()
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
        whose: str = "",
        on_device: bool = True,
    ) -> None:
        self._line = line
        self._leash = leash
        self._folders = folders
        self._nursery = nursery
        self._trays: dict[str, Tray | DeviceTray] = {}
        self._on_device = on_device and nursery.device_trays
        self._gate: Gate | None = None
        self._doing = ""
        self._whose = whose
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
            if not self._whose:
                raise
            text = getattr(ended.failure, "message", str(ended.failure))
            raise Ended(Unscorable(f"{self._whose} failed in a process of its own: {text}")) from ended

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
        """Make sure that the trays of those names have at least those sizes in bytes.

        They lie on the device where the nursery's do and this process could map them.
        """
        for name, size in sizes.items():
            present = self._trays.get(name)
            if present is None or present.size < size:
                if present is not None:
                    self._trays.pop(name).close()
                self._trays[name] = self._device_tray(name, size, deadline) or self._host_tray(name, size, deadline)

    def gate(self, deadline: Deadline) -> Gate | None:
        """Where the device's work can be held back until it is opened; None without a device."""
        if self._gate is None and self._nursery.device_trays:
            tray = self._host_tray("gate", GATE_BYTES, deadline)
            self._trays["gate"] = tray
            self._gate = Gate(tray)
        return self._gate

    def _device_tray(self, name: str, size: int, deadline: Deadline) -> DeviceTray | None:
        if not self._on_device:
            return None
        try:
            tray = DeviceTray.create(size)
        except DriverError:
            self._on_device = False
            return None
        answer = self.ask({"op": "trays", "names": [], "handles": [[name, tray.handle, tray.size]]}, deadline)
        if "refused" in answer:
            tray.close()
            self._on_device = False
            return None
        return tray

    def _host_tray(self, name: str, size: int, deadline: Deadline) -> Tray:
        try:
            tray = Tray.create(size)
        except OSError as error:
            raise WorkerError(f"no memory for {size} bytes of tensors: {error}") from error
        self.ask({"op": "trays", "names": [name], "handles": []}, deadline, descriptors=[tray.descriptor])
        return tray

    def tray(self, name: str) -> Tray | DeviceTray:
        return self._trays[name]

    def answers_within(self, seconds: float) -> bool:
        """Whether the answer to what was posted begins to arrive until then."""
        readable, _, _ = select.select([self._line], [], [], seconds)
        return bool(readable)

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
        ending = self._last_words()
        if not ending and not self._nursery.alive(settle_s=0.5):
            raise WorkerError("the zygote process ended")
        if ending.get("failure"):
            raise WorkerError(f"a candidate's process could not be locked in: {ending['failure']}")
        status = ending.get("status")
        if status is None:
            how = _KEEPER_KILLED
        elif ending["excess"]:
            how = ending["excess"]
        elif os.WIFSIGNALED(status):
            how = f"killed by {_signal_name(os.WTERMSIG(status))}"
        else:
            how = f"the process exited with status {os.waitstatus_to_exitcode(status)}"
        last = wire.printable(ending.get("printed", "")).rpartition("\n")[2][-300:]
        return f"{how} while {self._doing}" + (f"; last printed: {last}" if last else "")

    def _last_words(self) -> Header:
        """What the keeper says of the end; nothing where it was killed."""
        data, end = b"", time.monotonic() + _ENDING_S
        while True:
            readable, _, _ = select.select([self._leash], [], [], max(0.0, end - time.monotonic()))
            chunk = self._leash.recv(1 << 16) if readable else b""
            if not chunk:
                break
            data += chunk
        ending: Header = json.loads(data) if data else {}
        return ending


_KEEPER_KILLED = "the process and its keeper were killed"
_KILLED = f"killed by {signal.SIGKILL.name}"


def was_killed(failure: object) -> bool:
    """Whether it may not be the candidate's doing: the kernel out of memory, or a person, kills like that too."""
    message = failure.message if isinstance(failure, (Crashed, Unscorable)) else ""
    return _KILLED in message or _KEEPER_KILLED in message


_DOING = {
    "load": "the kernel file was imported",
    "construct": "it was constructed",
    "call": "forward ran",
    "clock": "forward was timed",
    "enqueue": "forward was timed",
    "finish": "forward was timed",
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
