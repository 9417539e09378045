"""What a run loses to its machines is tried again when it goes on."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace

import pytest

from samples import candidate, measured
from search.test_loop import SEED, Scripted, parts
from tilewright.errors import NoMachine, WorkerError
from tilewright.records import Evaluation, Job, Run
from tilewright.search.loop import continue_run
from tilewright.store import Store

PROPOSED = {1: [candidate(name) for name in "abc"]}


class Failing:
    """Fails with `error` until it has judged so many."""

    name = "failing"

    def __init__(self, error: Exception, after: int) -> None:
        self.error, self.left = error, after
        self.asked: list[str] = []

    def submit(self, job: Job) -> Future[Evaluation]:
        self.asked.append(job.candidate.id)
        future: Future[Evaluation] = Future()
        if self.left:
            self.left -= 1
            future.set_result(measured(0.5))
        else:
            future.set_exception(self.error)
        return future

    def close(self) -> None: ...


def go(store: Store, evaluator: Failing) -> Run:
    made = replace(parts(store, Scripted(PROPOSED), {}), evaluator=evaluator)
    return continue_run(store.try_again(store.load("r1")), SEED, made)


@pytest.mark.parametrize("after", [0, 1, 2])
def test_where_no_machine_can_be_had_the_run_stops_at_once_and_goes_on_as_if_nothing_had_been(
    store: Store, after: int
) -> None:
    refusing = Failing(NoMachine("A quota. See the account"), after)
    stopped = go(store, refusing)
    assert (stopped.stop_reason, len(stopped.attempts)) == ("no_machine", after)
    assert stopped.stop_detail == "A quota. See the account. Go on with: tilewright resume r1"
    assert len(refusing.asked) == after + 1, "asked once more in vain"
    again = go(store, Failing(WorkerError("never"), 99))
    assert again.stop_reason == "exhausted"
    assert [attempt.candidate.id for attempt in again.attempts] == [SEED.id, *(c.id for c in PROPOSED[1])]


def test_candidates_that_the_machinery_failed_at_are_tried_again_when_the_run_goes_on(store: Store) -> None:
    stopped = go(store, Failing(WorkerError("preempted"), 1))
    assert stopped.stop_reason == "machinery" and len(stopped.attempts) == 4
    again = go(store, Failing(WorkerError("never"), 99))
    assert again.stop_reason == "exhausted"
    assert [attempt.candidate.id for attempt in again.attempts] == [SEED.id, *(c.id for c in PROPOSED[1])]
    assert all(attempt.evaluation for attempt in again.attempts)
    assert store.load("r1").attempts == again.attempts


def test_a_seed_that_the_machinery_failed_at_is_judged_when_the_run_goes_on(store: Store) -> None:
    stopped = go(store, Failing(WorkerError("preempted"), 0))
    assert (stopped.stop_reason, stopped.stop_detail) == (
        "machinery",
        "preempted. Go on with: tilewright resume r1",
    )
    assert go(store, Failing(WorkerError("never"), 99)).stop_reason == "exhausted"
