"""How good is a candidate, where nothing can be measured?

Turns evidence that the gates gathered (compiled for the GPU, executed on the CPU) into an `Estimate`. It never
makes a `Measurement`, runs nothing, and lets nothing through that wasn't executed: an estimate of a kernel that
computes something else would win every comparison.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

from tilewright.errors import MachineryError
from tilewright.records import (
    Estimate,
    Estimated,
    Evaluation,
    Evidence,
    Job,
    Problem,
    Reason,
    Rejected,
    Verified,
)


class OfflineEvaluator:
    """`estimate` is the time model (`tilewright.analysis.model.estimate` with its GPU filled in)."""

    name = "offline"

    def __init__(self, estimate: Callable[[Evidence, Problem], Estimate]) -> None:
        self._estimate = estimate

    def submit(self, job: Job) -> Future[Evaluation]:
        """Answers at once. `Estimated` for what was compiled and executed, at least in part; `Verified` for what was
        executed but not compiled; `Rejected` for what was not executed, saying why."""
        future: Future[Evaluation] = Future()
        try:
            future.set_result(self._evaluate(job))
        except MachineryError as error:
            future.set_exception(error)
        return future

    def close(self) -> None:
        """Nothing was started."""

    def _evaluate(self, job: Job) -> Evaluation:
        execution = job.evidence.execution
        if execution is None or (execution.of > 0 and execution.blocks == 0):
            unchecked = (*(execution.not_checked if execution else ()), *job.evidence.not_checked)
            why = "; ".join(unchecked) or "no CPU execution was tried"
            return Rejected(
                gate=self.name,
                reasons=(
                    Reason(
                        rule="not-checked",
                        message=f"its results could not be checked on this machine: {why}",
                        action="Evaluate it on a machine with a GPU, or write it with operations that the "
                        "interpreter knows.",
                    ),
                ),
            )
        if not job.evidence.facts:
            return Verified(
                checked_calls=1,
                error_ratio=execution.error_ratio,
                notes=("not compiled, so no time can be estimated", *job.evidence.not_checked),
            )
        return Estimated(self._estimate(job.evidence, job.problem))
