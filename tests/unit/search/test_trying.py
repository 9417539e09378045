"""Candidates on their way side by side: what is asked when, in which order it ends, what is kept of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace

import pytest

from samples import candidate, measured
from search.test_loop import SEED, Confirming, RefusesBad, Scripted, equal_by_hypothesis, parts
from tilewright.errors import NoMachine, WorkerError
from tilewright.protocols import Verdict
from tilewright.records import Candidate, Evaluation, Evidence, Job, Measured, Problem, Reason, Rejected, Run
from tilewright.scores import best
from tilewright.search.loop import continue_run
from tilewright.search.stopping import StopRules
from tilewright.store import Store

CANDIDATES = [candidate(name) for name in "abcd"]


class Side:
    """An evaluator that makes use of three jobs at a time. `answers` to a job what a test says, when it says so."""

    name = "side by side"
    at_once = 3

    def __init__(self, ratios: Mapping[str, float], order: Callable[[list[str]], str]) -> None:
        self._ratios = {key: measured(value) for key, value in ratios.items()}
        self._order = order
        self.jobs: list[Job] = []
        self.most = 0
        self.open: dict[str, Future[Evaluation]] = {}

    def submit(self, job: Job) -> Future[Evaluation]:
        self.jobs.append(job)
        future: Future[Evaluation] = Future()
        self.open[job.candidate.id] = future
        self.most = max(self.most, len(self.open))
        threading.Timer(0.05, self._answer_one).start()
        return future

    def _answer_one(self) -> None:
        if self.open:
            name = self._order(sorted(self.open))
            future = self.open.pop(name)
            if future.set_running_or_notify_cancel():
                future.set_result(self._ratios[name])

    def close(self) -> None: ...


def go(store: Store, evaluator: object, proposed: list[Candidate], **more: object) -> Run:
    made = replace(parts(store, Scripted({1: proposed}), {}), evaluator=evaluator, **more)  # type: ignore[arg-type]
    return continue_run(store.load("r1"), SEED, made)


RATIOS = {SEED.id: 0.5, **{c.id: 0.1 for c in CANDIDATES}}


@pytest.mark.parametrize("order", [min, max])
def test_attempts_come_in_the_order_of_the_candidates_whoever_is_ready_first(
    store: Store, order: Callable[[list[str]], str]
) -> None:
    evaluator = Side(RATIOS, order)
    ended = go(store, evaluator, CANDIDATES)
    assert [a.candidate.id for a in ended.attempts] == [SEED.id, *(c.id for c in CANDIDATES)]
    assert evaluator.most == 3 and len(evaluator.jobs) == 5


def test_an_evaluator_that_says_nothing_is_asked_for_one_after_the_other(store: Store) -> None:
    evaluator = Side(RATIOS, min)
    evaluator.at_once = 1
    go(store, evaluator, CANDIDATES)
    assert evaluator.most == 1


def test_what_was_the_best_when_it_was_sent_is_what_it_has_to_beat(store: Store) -> None:
    a, b, c, d = CANDIDATES
    evaluator = Side({**RATIOS, a.id: 0.8}, min)
    ended = go(store, evaluator, CANDIDATES)
    looks = {job.candidate.id: job.incumbent_ratio for job in evaluator.jobs if job.effort == "full"}
    assert (looks[b.id], looks[c.id], looks[d.id]) == (0.5, 0.5, 0.8)
    holder = best(ended)
    assert holder is not None and holder.candidate.id == a.id


def test_what_does_the_work_of_one_that_is_on_its_way_waits_for_it(store: Store) -> None:
    a, again = candidate("a"), replace(candidate("b"), hypothesis="a in other words")
    evaluator = Side({**RATIOS, again.id: 0.1}, min)
    ended = go(store, evaluator, [a, again], equal_work=equal_by_hypothesis)
    assert ended.attempts[2].shared_with == 1 and [job.candidate.id for job in evaluator.jobs] == [SEED.id, a.id]


def test_a_gate_that_takes_long_holds_up_nobody_who_is_ready(store: Store) -> None:
    """The second is judged by the gates when the first has been measured, and is sent then."""
    slow, evaluator = threading.Event(), Side(RATIOS, min)

    class Waits(RefusesBad):
        def check(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Verdict:
            if candidate.id == CANDIDATES[1].id:
                assert slow.wait(5)
            return super().check(candidate, problem, evidence)

    def told(stages: Mapping[str, int]) -> None:
        if any(job.candidate.id == CANDIDATES[0].id for job in evaluator.jobs):
            slow.set()

    ended = go(store, evaluator, CANDIDATES[:2], gates=[Waits()], under_way=told)
    assert len(ended.attempts) == 3


def test_what_was_answered_before_a_stop_is_not_asked_for_again(store: Store) -> None:
    """Two were on their way when the first ended the run; one of them had been answered."""
    a, b, _, _ = CANDIDATES
    first = Side({**RATIOS, a.id: 0.2}, max)
    go(store, first, CANDIDATES[:2], stop=StopRules(9, 0.05, 2, 5, max_evaluations=1))
    assert [a.candidate.id for a in store.load("r1").attempts] == [SEED.id, a.id]
    second = Side(RATIOS, min)
    ended = go(store, second, CANDIDATES[:2])
    assert ended.attempts[2].candidate.id == b.id and isinstance(ended.attempts[2].evaluation, Measured)
    assert b.id not in [job.candidate.id for job in second.jobs]


def test_of_several_on_their_way_one_that_the_machinery_loses_is_tried_again(store: Store) -> None:
    a, b, _, _ = CANDIDATES

    class Loses(Side):
        def submit(self, job: Job) -> Future[Evaluation]:
            if job.candidate.id == b.id and not any(one.candidate.id == b.id for one in self.jobs):
                self.jobs.append(job)
                raise WorkerError("lost")
            return super().submit(job)

    ended = go(store, Loses(RATIOS, min), [a, b])
    assert [attempt.error for attempt in ended.attempts] == ["", "", ""] and len(ended.attempts) == 3


def test_no_machine_for_a_later_one_loses_no_earlier_one(store: Store) -> None:
    a, b, _, _ = CANDIDATES

    class Gone(Side):
        def submit(self, job: Job) -> Future[Evaluation]:
            if job.candidate.id == b.id:
                raise NoMachine("gone")
            return super().submit(job)

    ended = go(store, Gone(RATIOS, min), [a, b])
    assert ended.stop_reason == "no_machine" and [x.candidate.id for x in ended.attempts] == [SEED.id, a.id]


@pytest.mark.parametrize("broken", [False, True], ids=["says no", "can't be asked"])
def test_a_new_best_that_the_last_gates_do_not_let_through_is_none(store: Store, broken: bool) -> None:
    """However fast it was when it was measured again meanwhile."""
    a = CANDIDATES[0]

    class Last(RefusesBad):
        def check(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Verdict:
            if broken:
                raise WorkerError("the worker process ended")
            return Verdict(failure=Rejected("semantic", (Reason("race", "two threads write it"),)))

    ended = go(store, Side({**RATIOS, a.id: 0.8}, min), [a], last_gates=[Last()])
    assert best(ended) is ended.attempts[0]
    assert ended.attempts[1].error == ("the worker process ended" if broken else "")
    assert isinstance(ended.attempts[1].evaluation, type(None) if broken else Rejected)


def test_an_evaluator_of_one_job_at_a_time_keeps_no_answers_beside_attempts(store: Store) -> None:
    evaluator = Confirming({(SEED.id, "full"): measured(1.0)})
    go(store, evaluator, [])
    assert store.evaluation("r1", SEED.id, "") is None
