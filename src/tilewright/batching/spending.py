"""What may a batch spend, what has it spent, and is it over?"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable

from tilewright.errors import BudgetSpent
from tilewright.lm import Budget
from tilewright.records import Attempt, Run

Reason = tuple[str, str]


class Spending:
    """Counts what all runs of a batch use. What is under way when a limit is reached is let finish.

    `earlier_s`: seconds that the batch took before it was interrupted.
    """

    def __init__(
        self,
        model: Budget,
        *,
        max_evaluations: int | None = None,
        max_gpu_s: float | None = None,
        max_wall_s: float | None = None,
        earlier_s: float = 0.0,
    ) -> None:
        self.model = model
        self.evaluations = 0
        """The kernels as they were don't count."""
        self.gpu_s = 0.0
        self._max_evaluations, self._max_gpu_s, self._max_wall_s = max_evaluations, max_gpu_s, max_wall_s
        self._started = time.monotonic() - earlier_s
        self._called_off: Reason | None = None
        self._lock = threading.Lock()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    @property
    def share(self) -> float | None:
        """What is used of the limit that is nearest; None where nothing is limited."""
        used = (
            (self.evaluations, self._max_evaluations),
            (self.gpu_s, self._max_gpu_s),
            (self.seconds, self._max_wall_s),
            (self.model.usd, self.model.max_usd),
            (self.model.tokens, self.model.max_tokens),
        )
        return max((spent / limit for spent, limit in used if limit), default=None)

    def add(self, attempts: Iterable[Attempt]) -> None:
        with self._lock:
            for attempt in attempts:
                self.evaluations += attempt.phase != "seed"
                self.gpu_s += attempt.cost.gpu_seconds

    def call_off(self, reason: Reason) -> None:
        """End it before a limit is reached; the first reason stays."""
        with self._lock:
            self._called_off = self._called_off or reason

    def heed(self, run: Run) -> None:
        """A model that can't be asked by one run can't by another; nor can a machine be had."""
        if run.stop_reason in ("model_unavailable", "no_machine"):
            self.call_off((run.stop_reason, run.stop_detail))

    def over(self) -> Reason | None:
        """Why no run may go on, if so."""
        if self._called_off:
            return self._called_off
        if self._max_evaluations is not None and self.evaluations >= self._max_evaluations:
            return "evaluations", f"{self.evaluations} candidates evaluated in the batch"
        if self._max_gpu_s is not None and self.gpu_s >= self._max_gpu_s:
            return "gpu_seconds", f"{self.gpu_s:.1f} s of the GPU used by the batch, of {self._max_gpu_s:.1f} s"
        if self._max_wall_s is not None and self.seconds >= self._max_wall_s:
            return "wall", f"{self.seconds:.0f} s used by the batch, of {self._max_wall_s:.0f} s"
        try:
            self.model.check()
        except BudgetSpent as spent:
            return "budget", str(spent)
        return None
