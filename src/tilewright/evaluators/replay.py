"""Repeats recorded evaluations: the same candidate gets the same answer again, without any hardware."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future

from tilewright.errors import MachineryError
from tilewright.records import Evaluation, Job, Run


class ReplayEvaluator:
    """Answers from `recorded`, by candidate id. A candidate that isn't there is the machinery's failure."""

    name = "replay"

    def __init__(self, recorded: Mapping[str, Evaluation]) -> None:
        self._recorded = dict(recorded)

    @classmethod
    def of(cls, run: Run) -> ReplayEvaluator:
        return cls({a.candidate.id: a.evaluation for a in run.attempts if a.evaluation is not None})

    def submit(self, job: Job) -> Future[Evaluation]:
        future: Future[Evaluation] = Future()
        evaluation = self._recorded.get(job.candidate.id)
        if evaluation is None:
            future.set_exception(MachineryError(f"candidate {job.candidate.id} is not in the recording"))
        else:
            future.set_result(evaluation)
        return future

    def close(self) -> None:
        self._recorded.clear()
