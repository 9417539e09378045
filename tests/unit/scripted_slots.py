"""Machines elsewhere as tests need them: they answer at once, with what a test says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from tilewright import jsonform
from tilewright.evaluators.remote import Lost
from tilewright.evaluators.station import Batch, Machine, Reply, Result, Wanted, unfit
from tilewright.records import Verified

MACHINE = Machine("NVIDIA H100 80GB HBM3", (("tilelang", "0.1.15"), ("torch", "2.13.0+cu130")))
WANTED = Wanted(("NVIDIA H100 80GB HBM3",), (("tilelang", "0.1.15"),))


def everything_is_right(batch: Batch) -> Sequence[Result]:
    return [Result(Verified(1, 0.5)) for _ in batch.jobs]


class ScriptedSlot:
    """A slot whose machine answers as `judge` says; `asked` are the names that each batch held."""

    def __init__(
        self, judge: Callable[[Batch], Sequence[Result]] = everything_is_right, machine: Machine = MACHINE
    ) -> None:
        self.judge = judge
        self.machine = machine
        self.opened = 0
        self.asked: list[list[str]] = []
        self.closed = threading.Event()

    def open(self) -> None:
        self.opened += 1

    def ask(self, batch: str, patience_s: float) -> str:
        asked = jsonform.loads(Batch, batch)
        self.asked.append([job.candidate.source for job in asked.jobs])
        why = unfit(asked.wanted, self.machine)
        results = () if why else tuple(self.judge(asked))
        if self.closed.is_set():
            raise Lost("closed")
        return jsonform.dumps(Reply(self.machine, results, why, seconds=1.0))

    def close(self) -> None:
        self.closed.set()
