"""What does a machine elsewhere do with jobs that are sent to it?

It runs what this machine would: the worker processes for its GPU. Batches and replies travel as JSON, so that nothing
is unpickled from, or depends on, what carries them.
"""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Literal

from tilewright import jsonform
from tilewright.channel import WorkerHost
from tilewright.errors import MachineryError
from tilewright.evaluators.local import LocalEvaluator
from tilewright.records import Evaluation, Job

_DESCRIBING_S = 120.0


@dataclass(frozen=True)
class Machine:
    """What a station stands on. `device` is the GPU's name by the driver, "" on a machine that only verifies."""

    device: str
    versions: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Wanted:
    """What a machine must be, so that its times compare: a GPU of these names (any, if none is named), and these
    versions where it has the package at all."""

    device_names: tuple[str, ...] = ()
    versions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Batch:
    jobs: tuple[Job, ...]
    wanted: Wanted


@dataclass(frozen=True)
class Result:
    """An evaluation or, where that machine's machinery failed, why there is none."""

    evaluation: Evaluation | None
    failure: str = ""


@dataclass(frozen=True)
class Reply:
    """`results` in the order of the jobs; none from a machine that is `unfit` for them, whose text says why.

    `seconds` is how long the machine was busy with the batch.
    """

    machine: Machine | None
    results: tuple[Result, ...] = ()
    unfit: str = ""
    seconds: float = 0.0


class Station:
    """The far end for one GPU. Its processes start with the first batch and live until `close`, or until the process
    that holds it ends."""

    def __init__(self, device: Literal["cuda", "cpu"], jobs: int | None = None) -> None:
        self._host = WorkerHost(device, jobs=jobs)
        self._evaluator = LocalEvaluator(self._host)
        self._machine: Machine | None = None
        self._asking = threading.Lock()

    def answer(self, batch: str) -> str:
        """A `Reply` to a `Batch`, both as JSON. Several may be asked for at a time. Never raises for what a
        candidate did."""
        start = time.monotonic()
        try:
            asked = jsonform.loads(Batch, batch)
            machine = self._described()
            why = unfit(asked.wanted, machine)
            if why:
                return jsonform.dumps(Reply(machine, unfit=why))
            futures = [self._evaluator.submit(job) for job in asked.jobs]
        except MachineryError as error:  # not even a worker process: no job was begun
            return jsonform.dumps(Reply(None, unfit=str(error)))
        results = tuple(_result(future) for future in futures)
        return jsonform.dumps(Reply(machine, results, seconds=time.monotonic() - start))

    def look(self, request: str) -> str:
        """What `elsewhere.HostElsewhere` asks, answered by a host of this machine; both as JSON."""
        asked = json.loads(request)
        try:
            found = self._host.call(asked["op"], asked["payload"], asked["deadline_s"]).result()
        except MachineryError as error:
            return json.dumps({"error": str(error)})
        return json.dumps({"answer": found})

    def close(self) -> None:
        self._evaluator.close()

    def _described(self) -> Machine:
        with self._asking:
            if self._machine is None:
                found = self._host.call("describe", {}, _DESCRIBING_S).result()
                self._machine = Machine(found["device"], tuple(found["versions"].items()))
            return self._machine


def unfit(wanted: Wanted, machine: Machine) -> str:
    """Why this is not the machine that was wanted; "" where it is."""
    if wanted.device_names and machine.device not in wanted.device_names:
        names = " or ".join(wanted.device_names)
        return f"its GPU is {machine.device or 'none that CUDA finds'}, wanted is {names}: their times don't compare"
    have = dict(machine.versions)
    for package, version in wanted.versions:
        if package in have and release(have[package]) != release(version):
            return f"it has {package} {have[package]}, wanted is {version}: install that there, or have the same here"
    return ""


def release(version: str) -> str:
    """Without the build: 2.13.0 of 2.13.0+cu130."""
    return version.partition("+")[0]


def _result(future: Future[Evaluation]) -> Result:
    try:
        return Result(future.result())
    except MachineryError as error:
        return Result(None, str(error))
