"""How are candidates compiled and executed on the CPU where this machine can't: a laptop without Linux or TileLang?

By the worker processes of a machine elsewhere, which are asked what those here would be.
"""

from __future__ import annotations

import json
import threading
from concurrent.futures import Future, ThreadPoolExecutor

from tilewright.channel import Answer
from tilewright.errors import NoMachine, WorkerError
from tilewright.evaluators.remote import STARTING_S, Lost, Slot


class HostElsewhere:
    """A `channel.Host` behind a `slot`, whose far end is `Station.look`.

    It is opened by the first call. What its machine loses is asked once more, of another one.
    """

    def __init__(self, slot: Slot, jobs: int) -> None:
        self.jobs = jobs
        self._slot = slot
        self._lock = threading.Lock()
        self._opened = 0
        """How often."""
        self._lost = 0
        """Which of these times the machine was lost last."""
        self._pool = ThreadPoolExecutor(jobs, thread_name_prefix="tilewright-elsewhere")

    def call(self, op: str, payload: Answer, deadline_s: float) -> Future[Answer]:
        """The future raises `WorkerError` for what isn't a candidate's doing."""
        request = json.dumps({"op": op, "payload": payload, "deadline_s": deadline_s})
        try:
            return self._pool.submit(self._answer, request, STARTING_S + deadline_s)
        except RuntimeError as error:  # the pool was shut down
            raise WorkerError("the worker processes elsewhere were closed") from error

    def close(self) -> None:
        self._slot.close()
        self._pool.shutdown(cancel_futures=True)

    def _answer(self, request: str, patience_s: float) -> Answer:
        try:
            text = self._asked_once(request, patience_s)
        except Lost:
            text = self._asked_once(request, patience_s)
        reply: Answer = json.loads(text)
        if "error" in reply:
            raise WorkerError(reply["error"])
        answer: Answer = reply["answer"]
        return answer

    def _asked_once(self, request: str, patience_s: float) -> str:
        with self._lock:
            if self._opened == self._lost:
                try:
                    self._slot.open()
                except WorkerError as error:
                    raise NoMachine(str(error)) from error
                self._opened += 1
            machine = self._opened
        try:
            return self._slot.ask(request, patience_s)
        except Lost:
            with self._lock:
                self._lost = max(self._lost, machine)
            raise
