"""Scored on this machine: verified in its own process, timed on one of its GPUs (or, on the CPU, only verified)."""

from __future__ import annotations

import ctypes
import importlib.util
import subprocess
import sys
import threading
import uuid
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from tilewright import jsonform
from tilewright.channel import Answer, Host
from tilewright.errors import MachineryError, WorkerError
from tilewright.records import Evaluation, Job

_PROBE_S = 30.0
_AT_ONCE = 3
"""Jobs for each GPU: one is timed, the processes of one are made ready, one is checked."""


class LocalEvaluator:
    """Hands each job to the least busy of `hosts`, one a GPU; one that nobody needs is never started. What none of
    them can begin with yet waits here, for the first that can.

    They are ended by `close`; until then others may use them too.
    """

    def __init__(self, *hosts: Host, name: str = "local") -> None:
        self.name = name
        self._lock = threading.Lock()
        self._lanes = [_Lane(host) for host in hosts]
        self._waiting: deque[tuple[Job, Future[Evaluation]]] = deque()

    @property
    def at_once(self) -> int:
        return sum(min(_AT_ONCE, lane.host.jobs) for lane in self._lanes)

    def submit(self, job: Job) -> Future[Evaluation]:
        """A job that no worker has begun yet can be cancelled by its future."""
        evaluation: Future[Evaluation] = Future()
        with self._lock:
            self._waiting.append((job, evaluation))
        self._hand_out()
        return evaluation

    def close(self) -> None:
        with self._lock:
            waiting = list(self._waiting)
            self._waiting.clear()
        for _, evaluation in waiting:
            if evaluation.set_running_or_notify_cancel():
                evaluation.set_exception(WorkerError("the worker processes were closed"))
        for lane in self._lanes:
            lane.host.close()

    def _hand_out(self) -> None:
        while True:
            with self._lock:
                free = [lane for lane in self._lanes if lane.jobs < lane.host.jobs]
                if not self._waiting or not free:
                    return
                job, evaluation = self._waiting.popleft()
                if not evaluation.set_running_or_notify_cancel():
                    continue
                lane = min(free, key=lambda lane: lane.jobs + lane.failures)
                lane.jobs += 1
            self._begin(lane, job, evaluation)

    def _begin(self, lane: _Lane, job: Job, evaluation: Future[Evaluation]) -> None:
        def finish(answer: Future[Answer]) -> None:
            self._is_free(lane, failed=isinstance(answer.exception(), MachineryError))
            try:
                evaluation.set_result(jsonform.from_plain(Evaluation, answer.result()["evaluation"]))
            except Exception as error:  # the border to the worker: whatever it is belongs to who waits
                evaluation.set_exception(error)
            self._hand_out()

        try:
            answer = lane.host.call("measure", {"job": jsonform.to_plain(job)}, job.deadline_s)
        except MachineryError as error:
            self._is_free(lane, failed=True)
            evaluation.set_exception(error)
        else:
            answer.add_done_callback(finish)

    def _is_free(self, lane: _Lane, failed: bool) -> None:
        with self._lock:
            lane.jobs -= 1
            lane.failures = lane.failures + 1 if failed else 0


@dataclass
class _Lane:
    """The way to one GPU. Failures in a row count like jobs: one that only fails would be the least busy of all."""

    host: Host
    jobs: int = 0
    failures: int = 0


@dataclass(frozen=True)
class Device:
    """A CUDA device. `uuid` names it in CUDA_VISIBLE_DEVICES, whatever that was when it was found."""

    name: str
    uuid: str


def devices() -> tuple[Sequence[Device], str]:
    """The CUDA devices that kernels can be timed on here; where there are none, why. Asks the driver in a process of
    its own, which CUDA_VISIBLE_DEVICES tells what it may see."""
    missing = [name for name in ("torch", "tilelang") if importlib.util.find_spec(name) is None]
    if missing:
        return (), f"{' and '.join(missing)} can't be imported"
    command = [sys.executable, "-c", "from tilewright.evaluators import local; local.probe()"]
    try:
        done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=_PROBE_S, check=False)
    except subprocess.TimeoutExpired:
        return (), f"the CUDA driver does not answer within {_PROBE_S:.0f} s"
    if done.returncode or not done.stdout:
        return (), done.stderr.strip() or "no CUDA driver"
    return [Device(*line.split("\t")) for line in done.stdout.splitlines()], ""


def available() -> tuple[bool, str]:
    """Whether kernels can be timed here, and on what, or why not."""
    found, why = devices()
    return (True, found[0].name) if found else (False, why)


def probe() -> None:
    """Print name and UUID of each CUDA device, or exit saying what is missing. Uses the driver alone."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        sys.exit("no CUDA driver (libcuda) on this machine")
    code, count = driver.cuInit(0), ctypes.c_int()
    if code:
        sys.exit(f"the CUDA driver finds no usable GPU (cuInit: error {code})")
    driver.cuDeviceGetCount(ctypes.byref(count))
    if not count.value:
        sys.exit("the CUDA driver finds no GPU")
    for number in range(count.value):
        device, name, identity = ctypes.c_int(), ctypes.create_string_buffer(256), (ctypes.c_ubyte * 16)()
        driver.cuDeviceGet(ctypes.byref(device), number)
        driver.cuDeviceGetName(name, len(name), device)
        driver.cuDeviceGetUuid(identity, device)
        sys.stdout.write(f"{name.value.decode(errors='replace')}\tGPU-{uuid.UUID(bytes=bytes(identity))}\n")
