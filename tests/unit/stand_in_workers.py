"""Workers that start no process: nothing is compiled or run, and every candidate gets a made-up measurement."""

from __future__ import annotations

import os
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from samples import measured
from tilewright import jsonform
from tilewright.channel import WorkerHost
from tilewright.protocols import Evaluator
from tilewright.records import Evaluation, Evidence, Job
from tilewright.targets import SharedWorkers, Target


class StandIn:
    """Says something about every candidate, always the same."""

    def __init__(self, name: str, log: Path) -> None:
        self.name = name
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def submit(self, job: Job) -> Future[Evaluation]:
        time.sleep(0.05)
        future: Future[Evaluation] = Future()
        future.set_result(measured(0.3 + int(job.candidate.id[:4], 16) / 2**17, 0.001))
        os.write(self._log, f"{self.name} {job.candidate.id} {job.effort}\n".encode())
        return future

    def close(self) -> None:
        os.close(self._log)


class NoWorker(WorkerHost):
    """Finds nothing out about a candidate, and nothing wrong."""

    def call(self, op: str, payload: dict[str, Any], deadline_s: float) -> Future[dict[str, Any]]:
        future: Future[dict[str, Any]] = Future()
        future.set_result({"evidence": jsonform.to_plain(Evidence()), "failure": None, "execution": None})
        return future


class StandInWorkers(SharedWorkers):
    """No worker processes, and the stand-in."""

    def __init__(self, evaluator: StandIn) -> None:
        super().__init__()
        self._stand_in = evaluator

    def host(self, target: Target) -> WorkerHost:
        return NoWorker("cpu")

    def evaluator(self, target: Target, results: Path) -> Evaluator:
        return self._stand_in
