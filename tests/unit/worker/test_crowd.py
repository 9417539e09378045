"""Turns and company: who waits for whom."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from tilewright.worker.crowd import Crowd
from tilewright.worker.timing.gpu import Queue


def test_a_turn_comes_in_the_order_in_which_it_was_asked_for() -> None:
    queue, served = Queue(), []

    def take(number: int) -> None:
        with queue.turn():
            served.append(number)

    with ThreadPoolExecutor(8) as pool:
        with queue.turn():
            for number in range(8):
                pool.submit(take, number)
                time.sleep(0.02)
        pool.shutdown()
    assert served == list(range(8))


def test_a_turn_that_fails_is_over() -> None:
    queue = Queue()
    for _ in range(2):
        try:
            with queue.turn():
                raise ValueError
        except ValueError:
            pass


def test_whoever_wants_to_be_by_itself_waits_for_those_present_and_goes_before_those_who_come() -> None:
    crowd, seen = Crowd(), []
    inside, leave = threading.Event(), threading.Event()

    def early() -> None:
        with crowd.among_others():
            inside.set()
            leave.wait(5)
            seen.append("early")

    def alone() -> None:
        with crowd.by_itself():
            seen.append("alone")

    def late() -> None:
        with crowd.among_others():
            seen.append("late")

    with ThreadPoolExecutor(3) as pool:
        pool.submit(early)
        inside.wait(5)
        for work in (alone, late):
            pool.submit(work)
            time.sleep(0.05)
        leave.set()
    assert seen == ["early", "alone", "late"]
