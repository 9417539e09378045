"""How is an evaluation that is under way given up?"""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError, Future

from tilewright.protocols import Evaluator, at_once
from tilewright.records import Evaluation, Job


class YieldingEvaluator:
    """Hands jobs on to another evaluator, and can let go of what it waits for.

    Only the main thread hears Ctrl-C. After `give_up` whoever waits for an evaluation is told of it the way it would
    have been there: by `KeyboardInterrupt`. So no attempt is recorded, and the candidate is judged when the run goes
    on.
    """

    def __init__(self, evaluator: Evaluator, runs: int = 1) -> None:
        """`runs` share it at a time."""
        self.name = evaluator.name
        self.evaluator = evaluator
        self._runs = runs
        self._lock = threading.Lock()
        self._given_up = False
        self._open: dict[Future[Evaluation], Future[Evaluation]] = {}
        """What was asked for here, and for it there."""

    @property
    def at_once(self) -> int:
        return -(-at_once(self.evaluator) // self._runs)

    def submit(self, job: Job) -> Future[Evaluation]:
        asked: Future[Evaluation] = Future()
        asked.set_running_or_notify_cancel()
        with self._lock:
            if self._given_up:
                raise KeyboardInterrupt
        there = self.evaluator.submit(job)
        with self._lock:
            if self._given_up:
                raise KeyboardInterrupt
            self._open[asked] = there
        there.add_done_callback(lambda done: self._answer(asked, done))
        return asked

    def give_up(self) -> None:
        with self._lock:
            self._given_up = True
            left, self._open = self._open, {}
        for asked, there in left.items():
            there.cancel()
            asked.set_exception(KeyboardInterrupt())

    def close(self) -> None:
        self.evaluator.close()

    def _answer(self, asked: Future[Evaluation], done: Future[Evaluation]) -> None:
        with self._lock:
            if self._open.pop(asked, None) is None:
                return
        error = CancelledError() if done.cancelled() else done.exception()
        if error is not None:
            asked.set_exception(error)
        else:
            asked.set_result(done.result())
