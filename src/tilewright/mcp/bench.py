"""Who judges kernels for an agent, and how does it wait? One at a time, by processes that stay for the next one."""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import anyio
from mcp.server.mcpserver import Context

from tilewright import judge
from tilewright.config import resolve
from tilewright.errors import UsageError
from tilewright.mcp.answers import Answer
from tilewright.targets import Target, choose_target

Work = Callable[[], dict[str, Any]]
KEPT = 100
"""Answers that can still be asked for."""
_LOOK_S = 0.2
_PROGRESS_S = 2.0


class Bench:
    """`evaluator` and `gpu` are as on the command line. Its processes start when they are needed."""

    def __init__(self, evaluator: str, gpu: str | None) -> None:
        self.evaluator, self.gpu = evaluator, gpu
        self._pool = ThreadPoolExecutor(1)
        self._processes = ExitStack()
        self._opened: tuple[judge.Judging, Target] | None = None
        self._jobs: dict[str, Future[dict[str, Any]]] = {}

    def judging(self) -> tuple[judge.Judging, Target]:
        """To be called by the work itself, which is done in one thread."""
        if self._opened is None:
            settings = resolve(judge.config_for("any kernel", self.evaluator, self.gpu))
            target = choose_target(settings)
            self._opened = self._processes.enter_context(judge.judging(target)), target
        return self._opened

    def submit(self, work: Work) -> str:
        """The id of the job, under which its answer is kept."""
        job = secrets.token_hex(4)
        self._jobs[job] = self._pool.submit(work)
        for old in list(self._jobs)[:-KEPT]:
            del self._jobs[old]
        return job

    async def answer(self, job: str, wait_s: float, context: Context[Any, Any]) -> Answer:
        """What the job found out, where it is done in time; raises what it raised."""
        if job not in self._jobs:
            known = ", ".join(list(self._jobs)[-5:]) or "none"
            raise UsageError(f"no job {job!r}; the last ones: {known}. Answers are kept while the server runs.")
        future, began, said = self._jobs[job], time.monotonic(), 0.0
        while not future.done() and (waited := time.monotonic() - began) < wait_s:
            if waited >= said:
                said += _PROGRESS_S
                await context.report_progress(waited, None, self._doing(job))
            await anyio.sleep(_LOOK_S)
        if future.done():
            return Answer(job=job, state="done", next="", result=future.result())
        return Answer(job=job, state="working", next=f"Not done yet. Call get_answer with job {job}.")

    def _doing(self, job: str) -> str:
        """In words, of a job that isn't done."""
        earlier = itertools.takewhile(lambda other: other != job, self._jobs)
        before = sum(not self._jobs[other].done() for other in earlier)
        if before:
            return f"waiting its turn, {before} before it"
        warm = any(future.done() for future in self._jobs.values())
        return "judging" if warm else "judging; the first takes longest, for PyTorch and TileLang are imported"

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._processes.close()
