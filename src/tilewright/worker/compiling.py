"""Which kernels are compiled before it is their turn on the GPU?

Those of every candidate and of every baseline that is a kernel: compiling one takes seconds, in which nobody could be
timed. What is made lies in the candidate's own cache, where its processes find it.
"""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict

from tilewright import jsonform
from tilewright.errors import TilewrightError
from tilewright.hardware import load_gpu
from tilewright.records import Candidate, Problem
from tilewright.worker.exchange.wire import Header
from tilewright.worker.processes.nursery import Deadline, Ended, NotExecuted, Nursery

ANSWER_BYTES = 8 << 20
_AT_MOST_S = 60.0
"""What takes longer is compiled when it is its turn, and then by its deadline."""
_REMEMBERED = 64
"""As many caches as a host keeps."""


class Compiler:
    """Of one host."""

    def __init__(self, nursery: Nursery) -> None:
        self._nursery = nursery
        self._lock = threading.Lock()
        self._begun: OrderedDict[str, threading.Event] = OrderedDict()
        """By candidate; set when it is done."""

    def has_compiled(self, candidate: Candidate) -> None:
        """For whatever reason; it needn't be done once more."""
        self._begin(candidate)[0].set()

    def ahead(self, candidate: Candidate, problem: Problem, gpu: str, seconds: float) -> None:
        """For a GPU of that short name. What goes wrong is found out by whoever runs the candidate."""
        if not may_hold_kernels(candidate):
            return
        done, is_first = self._begin(candidate)
        if not is_first:
            done.wait(_AT_MOST_S)
            return
        deadline = Deadline(min(seconds, _AT_MOST_S))
        try:
            with contextlib.suppress(Ended, NotExecuted, TilewrightError):
                kernel, task, device = (jsonform.to_plain(one) for one in (candidate, problem, load_gpu(gpu)))
                request = inspection(kernel, task, device, deadline, launched=True, instructions=False)
                with self._nursery.runner(candidate.id, deadline, on_device=False) as runner:
                    runner.ask(request, deadline, ANSWER_BYTES)
        finally:
            done.set()

    def _begin(self, candidate: Candidate) -> tuple[threading.Event, bool]:
        """With whether nobody has begun it yet."""
        with self._lock:
            is_first = candidate.id not in self._begun
            done = self._begun.setdefault(candidate.id, threading.Event())
            self._begun.move_to_end(candidate.id)
            while len(self._begun) > _REMEMBERED:
                self._begun.popitem(last=False)
            return done, is_first


def may_hold_kernels(candidate: Candidate) -> bool:
    """Of TileLang: what a CPU runs only interpreted."""
    return any("tilelang" in text for text in (candidate.source, *(file.text for file in candidate.support)))


def inspection(
    candidate: object, problem: object, gpu: object, deadline: Deadline, launched: bool, instructions: bool
) -> Header:
    """What a process is asked that compiles a candidate's kernels and says what it found. Records are plain ones."""
    return {
        "op": "inspect",
        "candidate": candidate,
        "problem": problem,
        "gpu": gpu,
        "threads": 1,
        "launched": launched,
        "instructions": instructions,
        "deadline_s": deadline.seconds,
    }
