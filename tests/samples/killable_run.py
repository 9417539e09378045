"""A run over a store, with an evaluator that takes a few milliseconds: killable_run.py STORE LOG [cpu | SECONDS]

Starts the run `r1`, or goes on with it. Each evaluation writes "begin ID" and "end ID" to LOG. With `cpu`, candidates
are verified by worker processes before; with a number each evaluation takes so long.
"""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

from tilewright.channel import WorkerHost
from tilewright.errors import UsageError
from tilewright.evaluators.local import LocalEvaluator
from tilewright.protocols import Verdict
from tilewright.records import (
    Brief,
    Candidate,
    Estimate,
    Estimated,
    Evaluation,
    Evidence,
    Job,
    Problem,
    Run,
    Verified,
    WorkloadEstimate,
)
from tilewright.report.terminal import QuietWatcher
from tilewright.search.loop import continue_run
from tilewright.search.parts import Parts
from tilewright.search.stopping import StopRules
from tilewright.store import Store

TURNS, PER_TURN = 6, 4
REFERENCE = """
import torch

class Model(torch.nn.Module):
    def forward(self, x):
        return torch.tanh(x)

def get_inputs():
    return [torch.randn(16, 32)]

def get_init_inputs():
    return []
"""
MODULE = REFERENCE.replace("class Model", "class ModelNew")


class SlowEvaluator:
    """Says that a candidate's number is its time, where `verifier` (if any) has found it right."""

    name = "slow"

    def __init__(self, log: Path, verifier: LocalEvaluator | None, seconds: float) -> None:
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._verifier, self._seconds = verifier, seconds

    def submit(self, job: Job) -> Future[Evaluation]:
        name = job.candidate.hypothesis
        os.write(self._log, f"begin {name}\n".encode())
        ms = 100.0 - int(name)
        row = WorkloadEstimate("default", 1.0, ms, ms / 2, ms * 2, 1.0, "memory")
        evaluation: Evaluation = Estimated(Estimate((row,), "H100", "counted", False))
        if self._verifier:
            verified = self._verifier.submit(replace(job, effort="quick", deadline_s=30.0)).result()
            evaluation = evaluation if isinstance(verified, Verified) else verified
        else:
            time.sleep(self._seconds)
        os.write(self._log, f"end {name}\n".encode())
        future: Future[Evaluation] = Future()
        future.set_result(evaluation)
        return future

    def close(self) -> None:
        if self._verifier:
            self._verifier.close()


class Counting:
    """Proposes the next numbers of its turn."""

    name = "counting"

    def propose(self, brief: Brief) -> list[Candidate]:
        first = brief.turn * 10
        return [numbered(first + i, brief.parent.candidate.id) for i in range(PER_TURN)]


class Passes:
    name = "passes"

    def check(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Verdict:
        return Verdict()


def numbered(number: int, parent: str | None = None) -> Candidate:
    return Candidate(f"{MODULE}\n# {number}\n", parent=parent, proposer="counting", hypothesis=str(number))


def main(store_path: Path, log: Path, how: str) -> None:
    store = Store(store_path)
    try:
        run = store.load(store.find("r1"))
        store.take("r1")
    except UsageError:  # the first start: there is no run yet
        run = Run("r1", Problem("Tanh", REFERENCE), "k.py", (), "slow", "H100", "2026-01-01T00:00:00Z")
        store.begin(run)
    verifier = LocalEvaluator(WorkerHost("cpu", jobs=2)) if how == "cpu" else None
    evaluator = SlowEvaluator(log, verifier, float(how) if how and not verifier else 0.006)
    parts = Parts(
        gates=[Passes()],
        evaluator=evaluator,
        analyze=lambda *_: (),
        structure_proposers=[Counting()],
        tuner=None,
        memory=store,
        watcher=QuietWatcher(),
        stop=StopRules(1.5, 0.0, 99, TURNS),
        candidates_per_turn=PER_TURN,
        tune_budget=0,
    )
    try:
        continue_run(run, numbered(0), parts)
    finally:
        evaluator.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), "".join(sys.argv[3:]))
