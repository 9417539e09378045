"""Jobs reach machines elsewhere; what a machine loses is asked once more, on another and alone."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, wait
from dataclasses import replace

import pytest

from scripted_slots import MACHINE, WANTED, ScriptedSlot, everything_is_right
from tilewright import jsonform
from tilewright.errors import WorkerError
from tilewright.evaluators.remote import Lost, RemoteEvaluator
from tilewright.evaluators.station import Batch, Reply, Result, Station, Wanted, unfit
from tilewright.protocols import Evaluator
from tilewright.records import Candidate, Job, Problem, Verified

PROBLEM = Problem("p", "class Model: pass")


def job(name: str) -> Job:
    return Job(Candidate(name), PROBLEM)


def losing(names: set[str], times: int) -> Callable[[Batch], Sequence[Result]]:
    """Takes the machine down so many times, with a batch that holds one of these."""
    left = dict.fromkeys(names, times)

    def judge(batch: Batch) -> Sequence[Result]:
        for one in batch.jobs:
            if left.get(one.candidate.source, 0):
                left[one.candidate.source] -= 1
                raise Lost("preempted")
        return everything_is_right(batch)

    return judge


def test_slots_are_opened_only_for_jobs_that_need_them() -> None:
    slots = [ScriptedSlot() for _ in range(3)]
    evaluator = RemoteEvaluator("scripted", slots, WANTED)
    assert isinstance(evaluator, Evaluator)
    for number in range(3):
        assert isinstance(evaluator.submit(job(str(number))).result(10), Verified)
    assert sum(slot.opened for slot in slots) == 1
    assert evaluator.seconds == 3.0
    evaluator.close()


def test_what_is_lost_once_is_asked_once_more_and_alone() -> None:
    judge = losing({"bad luck"}, 1)
    slots = [ScriptedSlot(judge), ScriptedSlot(judge)]
    evaluator = RemoteEvaluator("scripted", slots, WANTED, batch=4)
    futures = [evaluator.submit(job(name)) for name in ("one", "bad luck", "two", "three", "four")]
    assert all(isinstance(future.result(10), Verified) for future in futures)
    asked = [names for slot in slots for names in slot.asked if "bad luck" in names]
    assert len(asked) == 2 and ["bad luck"] in asked
    evaluator.close()


def test_a_candidate_that_takes_two_machines_down_fails_and_spares_the_others() -> None:
    judge = losing({"killer"}, 9)
    slots = [ScriptedSlot(judge), ScriptedSlot(judge)]
    evaluator = RemoteEvaluator("scripted", slots, WANTED, batch=4)
    killer, *others = [evaluator.submit(job(name)) for name in ("killer", "one", "two", "three", "four", "five")]
    with pytest.raises(WorkerError, match="preempted"):
        killer.result(10)
    assert all(isinstance(future.result(10), Verified) for future in others)
    assert sum("killer" in names for slot in slots for names in slot.asked) == 2
    evaluator.close()


def test_a_slot_that_loses_two_batches_at_once_is_opened_once_more() -> None:
    both = threading.Barrier(2)
    slot = ScriptedSlot()

    def judge(batch: Batch) -> Sequence[Result]:
        if len(slot.asked) <= 2:
            both.wait(10)
            raise Lost("preempted")
        return everything_is_right(batch)

    slot.judge = judge
    evaluator = RemoteEvaluator("scripted", [slot], WANTED, width=2)
    futures = [evaluator.submit(job(name)) for name in "ab"]
    assert all(isinstance(future.result(10), Verified) for future in futures)
    assert slot.opened == 2 and sorted(slot.asked) == [["a"], ["a"], ["b"], ["b"]]
    evaluator.close()


def test_what_a_machine_says_that_it_failed_at_is_asked_of_another_one() -> None:
    failing = ScriptedSlot(lambda batch: [Result(None, "the worker process ended")])
    hold = threading.Event()

    def slowly(batch: Batch) -> Sequence[Result]:
        hold.wait(10)
        return everything_is_right(batch)

    other = ScriptedSlot(slowly)
    evaluator = RemoteEvaluator("scripted", [other, failing], WANTED)
    futures = [evaluator.submit(job(name)) for name in "ab"]
    while not (failing.asked and other.asked):
        time.sleep(0.01)
    hold.set()
    assert all(isinstance(future.result(10), Verified) for future in futures)
    assert len(failing.asked) == 1 and len(other.asked) == 2
    evaluator.close()


def test_what_machines_failed_at_twice_is_no_outcome() -> None:
    failures = [
        Result(None, "the worker process ended"),
        Result(None, "the worker process ended"),
        Result(Verified(1, 0.5)),
    ]
    evaluator = RemoteEvaluator("scripted", [ScriptedSlot(lambda batch: [failures.pop(0)])], WANTED)
    with pytest.raises(WorkerError, match="ended"):
        evaluator.submit(job("a")).result(10)
    assert isinstance(evaluator.submit(job("b")).result(10), Verified)
    evaluator.close()


def test_a_machine_with_another_gpu_gets_no_job_and_says_why() -> None:
    other = replace(MACHINE, device="NVIDIA H200")
    evaluator = RemoteEvaluator("scripted", [ScriptedSlot(machine=other)], WANTED)
    for _ in range(2):
        with pytest.raises(WorkerError, match="its GPU is NVIDIA H200, wanted is NVIDIA H100"):
            evaluator.submit(job("a")).result(10)
    evaluator.close()


def test_where_another_machine_fits_an_unfit_one_costs_nothing() -> None:
    old = replace(MACHINE, versions=(("tilelang", "0.1.14"),))
    unfit_one, fit = ScriptedSlot(machine=old), ScriptedSlot()
    evaluator = RemoteEvaluator("scripted", [unfit_one, fit], WANTED)
    assert all(isinstance(evaluator.submit(job(str(n))).result(10), Verified) for n in range(3))
    assert len(unfit_one.asked) == 1
    evaluator.close()


def test_the_first_machine_says_which_versions_the_others_must_have() -> None:
    hold = threading.Event()

    def slowly(batch: Batch) -> Sequence[Result]:
        hold.wait(10)
        return everything_is_right(batch)

    newer = replace(MACHINE, versions=(("tilelang", "0.1.15"), ("torch", "2.14.0+cu130")))
    first, second = ScriptedSlot(), ScriptedSlot(machine=newer)
    evaluator = RemoteEvaluator("scripted", [first, second], WANTED)
    evaluator.submit(job("a")).result(10)
    first.judge = slowly
    futures = [evaluator.submit(job(name)) for name in "bc"]
    while not second.asked:
        time.sleep(0.01)
    hold.set()
    assert all(isinstance(future.result(10), Verified) for future in futures)
    assert second.asked == [["c"]] and ["c"] in first.asked
    evaluator.close()


def test_a_build_is_no_other_version() -> None:
    assert not unfit(Wanted(versions=(("torch", "2.13.0+cpu"),)), MACHINE)
    assert "torch 2.13.0+cu130, wanted is 2.12.0" in unfit(Wanted(versions=(("torch", "2.12.0"),)), MACHINE)


def test_a_job_that_nobody_began_can_be_cancelled() -> None:
    hold = threading.Event()

    def slowly(batch: Batch) -> Sequence[Result]:
        hold.wait(10)
        return everything_is_right(batch)

    slot = ScriptedSlot(slowly)
    evaluator = RemoteEvaluator("scripted", [slot], WANTED)
    begun = evaluator.submit(job("begun"))
    while not slot.asked:
        time.sleep(0.01)
    cancelled, last = evaluator.submit(job("cancelled")), evaluator.submit(job("last"))
    assert cancelled.cancel() and not begun.cancel()
    hold.set()
    assert isinstance(begun.result(10), Verified) and isinstance(last.result(10), Verified)
    assert slot.asked == [["begun"], ["last"]]
    with pytest.raises(CancelledError):
        cancelled.result(1)
    evaluator.close()


def test_closing_ends_what_is_open() -> None:
    slot = ScriptedSlot()
    slot.judge = lambda batch: everything_is_right(batch) if slot.closed.wait(10) else ()
    evaluator = RemoteEvaluator("scripted", [slot], WANTED)
    futures = [evaluator.submit(job(name)) for name in "abc"]
    evaluator.close()
    assert not wait(futures, 10).not_done
    assert all(isinstance(future.exception(), WorkerError) for future in futures)
    with pytest.raises(WorkerError, match="closed"):
        evaluator.submit(job("d"))


def test_nothing_is_lost_where_one_machine_in_twenty_fails() -> None:
    draws = random.Random(0)
    drawing = threading.Lock()

    def judge(batch: Batch) -> Sequence[Result]:
        time.sleep(0.01)
        with drawing:
            if draws.random() < 0.05:
                raise Lost("preempted")
        return everything_is_right(batch)

    slots = [ScriptedSlot(judge) for _ in range(32)]
    evaluator = RemoteEvaluator("scripted", slots, WANTED, width=2)
    futures = [evaluator.submit(job(str(number))) for number in range(640)]
    outcomes = [future.exception(60) or future.result() for future in futures]
    assert sum(isinstance(outcome, Verified) for outcome in outcomes) > 620
    assert all(isinstance(outcome, (Verified, WorkerError)) for outcome in outcomes)
    asked = [name for slot in slots for names in slot.asked for name in names]
    assert max(map(asked.count, set(asked))) == 2, "once more, and no more than that"
    evaluator.close()


def test_a_station_that_cannot_start_a_worker_says_so_instead_of_failing_candidates() -> None:
    station = Station("cpu")
    station.close()
    reply = jsonform.loads(Reply, station.answer(jsonform.dumps(Batch((job("a"),), Wanted()))))
    assert "closed" in reply.unfit and not reply.results
