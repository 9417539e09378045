"""Scored on this machine: verified in its own process, timed on its GPU (or, on the CPU, only verified)."""

from __future__ import annotations

import ctypes
import importlib.util
import subprocess
import sys
from concurrent.futures import Future

from tilewright import jsonform
from tilewright.channel import Answer, WorkerHost
from tilewright.records import Evaluation, Job

_PROBE_S = 30.0


class LocalEvaluator:
    """`host` is ended by `close`; until then others may use it too."""

    def __init__(self, host: WorkerHost, name: str = "local") -> None:
        self.name = name
        self._host = host

    def submit(self, job: Job) -> Future[Evaluation]:
        evaluation: Future[Evaluation] = Future()
        evaluation.set_running_or_notify_cancel()

        def finish(answer: Future[Answer]) -> None:
            try:
                evaluation.set_result(jsonform.from_plain(Evaluation, answer.result()["evaluation"]))
            except Exception as error:  # the border to the worker: whatever it is belongs to who waits
                evaluation.set_exception(error)

        plain = {"job": jsonform.to_plain(job)}
        self._host.call("measure", plain, job.deadline_s).add_done_callback(finish)
        return evaluation

    def close(self) -> None:
        self._host.close()


def available() -> tuple[bool, str]:
    """Whether kernels can be timed here, and why or why not. Asks the driver in a process of its own."""
    missing = [name for name in ("torch", "tilelang") if importlib.util.find_spec(name) is None]
    if missing:
        return False, f"{' and '.join(missing)} can't be imported"
    command = [sys.executable, "-c", "from tilewright.evaluators import local; local.probe()"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PROBE_S, check=False)
    except subprocess.TimeoutExpired:
        return False, f"the CUDA driver does not answer within {_PROBE_S:.0f} s"
    name = done.stdout.strip()
    return (True, name) if done.returncode == 0 and name else (False, done.stderr.strip() or "no CUDA driver")


def probe() -> None:
    """Print the name of the first CUDA device, or exit saying what is missing. Uses the driver alone."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        sys.exit("no CUDA driver (libcuda) on this machine")
    code, count, device = driver.cuInit(0), ctypes.c_int(), ctypes.c_int()
    if code:
        sys.exit(f"the CUDA driver finds no usable GPU (cuInit: error {code})")
    driver.cuDeviceGetCount(ctypes.byref(count))
    if not count.value:
        sys.exit("the CUDA driver finds no GPU")
    name = ctypes.create_string_buffer(256)
    driver.cuDeviceGet(ctypes.byref(device), 0)
    driver.cuDeviceGetName(name, len(name), device)
    sys.stdout.write(name.value.decode(errors="replace"))
