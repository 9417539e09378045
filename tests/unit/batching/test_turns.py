"""Whose turn it is, and how a batch ends."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

import pytest

from samples import PROBLEM, candidate, measured
from tilewright.batching.spending import Spending
from tilewright.batching.turns import Turns, side_by_side
from tilewright.batching.yielding import YieldingEvaluator
from tilewright.errors import StoreError
from tilewright.evaluators.replay import ReplayEvaluator
from tilewright.lm import Budget
from tilewright.protocols import at_once
from tilewright.records import Attempt, Cost, Evaluation, Job


def spending(**limits: float | int | None) -> Spending:
    return Spending(Budget(), **limits)  # type: ignore[arg-type]


def judged(index: int, gpu_s: float = 1.0) -> Attempt:
    phase = "structure" if index else "seed"
    return Attempt(index, 1, phase, candidate(str(index)), measured(1.0), cost=Cost(gpu_seconds=gpu_s))  # type: ignore[arg-type]


def go(jobs: int, spent: Spending, promises: dict[str, float], work: Callable[[Turns, str], None]) -> None:
    turns = Turns(jobs, spent, promises)
    side_by_side(promises, turns, lambda kernel: work(turns, kernel), lambda: None)


def test_one_at_a_time_takes_the_most_promising_first_and_asks_again_each_turn() -> None:
    order: list[str] = []
    falls = {"falls": iter([0.5, 0.4]), "steady": iter([0.7, 0.6])}

    def work(turns: Turns, kernel: str) -> None:
        for promise in falls[kernel]:
            order.append(kernel)
            turns.again(kernel, promise)
        order.append(kernel)

    go(1, spending(), {"steady": 0.8, "falls": 0.9}, work)
    assert order == ["falls", "steady", "steady", "steady", "falls", "falls"]


def test_no_more_work_at_a_time_than_are_allowed() -> None:
    at_work, most = threading.Semaphore(3), []

    def work(turns: Turns, kernel: str) -> None:
        for _ in range(5):
            most.append(at_work.acquire(blocking=False))
            time.sleep(0.002)
            at_work.release()
            turns.again(kernel, float(kernel))

    go(3, spending(), {str(number): number for number in range(12)}, work)
    assert len(most) == 60 and all(most)


def test_a_budget_that_is_spent_lets_nobody_wait_any_longer() -> None:
    spent = spending(max_evaluations=2)
    begun: list[str] = []

    def work(turns: Turns, kernel: str) -> None:
        if spent.over():
            return
        begun.append(kernel)
        spent.add([judged(0), judged(1)])
        turns.again(kernel, 0.0)

    go(1, spent, dict.fromkeys("abcd", 1.0), work)
    assert begun == ["a", "b"]
    assert spent.over() == ("evaluations", "2 candidates evaluated in the batch")


def test_every_budget_is_of_all_runs_together() -> None:
    seconds = spending(max_gpu_s=2.5)
    seconds.add([judged(0), judged(1)])
    assert seconds.over() is None
    seconds.add([judged(1)])
    assert (seconds.over() or ("",))[0] == "gpu_seconds"
    assert (spending(max_wall_s=5.0, earlier_s=6.0).over() or ("",))[0] == "wall"
    tokens = Budget(max_tokens=10)
    tokens.tokens = 11
    assert (Spending(tokens).over() or ("",))[0] == "budget"


def test_the_limit_that_is_nearest_says_how_much_of_the_budget_is_used() -> None:
    spent = spending(max_evaluations=10, max_gpu_s=8.0)
    spent.evaluations, spent.gpu_s = 3, 4.0
    assert spent.share == 0.5 and spending().share is None


def test_what_breaks_one_run_ends_all_and_is_told() -> None:
    def work(turns: Turns, kernel: str) -> None:
        if kernel == "b":
            raise StoreError("the disk is full")
        turns.again(kernel, 0.0)

    with pytest.raises(StoreError, match="full"):
        go(2, spending(), dict.fromkeys("abc", 1.0), work)


class Silent:
    """Never answers."""

    name = "silent"

    def submit(self, job: Job) -> Future[Evaluation]:
        return Future()

    def close(self) -> None: ...


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_ctrl_c_gives_up_what_is_under_way_and_begins_nothing_more() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that starts this in the background ignores it
    spent = spending()
    evaluator = YieldingEvaluator(Silent())
    stopped, waiting = [], threading.Barrier(3)

    def work(kernel: str) -> None:
        if spent.over():
            return
        future = evaluator.submit(Job(candidate(kernel), PROBLEM))
        waiting.wait(10)
        try:
            future.result(20)
        except KeyboardInterrupt:
            stopped.append(kernel)

    def press() -> None:
        waiting.wait(10)
        time.sleep(0.5)  # a pool doesn't wait for a thread that it was just starting when it was interrupted
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press).start()
    clock = time.monotonic()
    turns = Turns(2, spent, dict.fromkeys("abcd", 1.0))
    side_by_side("abcd", turns, work, evaluator.give_up)
    assert sorted(stopped) == ["a", "b"] and time.monotonic() - clock < 5
    assert spent.over() == ("interrupted", "stopped by hand")
    with pytest.raises(KeyboardInterrupt):
        evaluator.submit(Job(candidate("e"), PROBLEM))


def test_runs_that_share_an_evaluator_have_their_part_of_its_width() -> None:
    class Wide(ReplayEvaluator):
        at_once = 6

    assert [at_once(YieldingEvaluator(Wide({}), runs)) for runs in (1, 2, 4, 64)] == [6, 3, 2, 1]
    assert at_once(YieldingEvaluator(ReplayEvaluator({}), 2)) == 1


def test_what_is_not_given_up_is_answered_as_it_was() -> None:
    evaluator = YieldingEvaluator(ReplayEvaluator({candidate("a").id: measured(1.5)}))
    assert evaluator.submit(Job(candidate("a"), PROBLEM)).result(1) == measured(1.5)
    assert "not in the recording" in str(evaluator.submit(Job(candidate("b"), PROBLEM)).exception(1))
    evaluator.give_up()
