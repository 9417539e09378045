"""Turns and company: who waits for whom."""

import fcntl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tilewright.worker.crowd import Crowd
from tilewright.worker.timing.turns import Queue, in_line


def test_a_turn_comes_in_the_order_in_which_it_was_asked_for() -> None:
    queue, served = Queue(sharing=2), []

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
    queue = Queue(sharing=2)
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


def test_those_who_share_a_turn_have_it_together_but_not_before_one_who_asked_earlier() -> None:
    queue, served = Queue(sharing=2), []
    together = threading.Barrier(2, timeout=5)

    def share(name: str) -> None:
        with queue.turn(shared=True):
            together.wait()
            served.append(name)

    def take() -> None:
        with queue.turn():
            served.append("alone")

    with ThreadPoolExecutor(5) as pool:
        with queue.turn():
            for work in (
                lambda: share("first"),
                lambda: share("first"),
                take,
                lambda: share("last"),
                lambda: share("last"),
            ):
                pool.submit(work)
                time.sleep(0.02)
        pool.shutdown()
    assert served == ["first", "first", "alone", "last", "last"]


def test_no_more_share_a_turn_than_are_let() -> None:
    queue, seen, inside = Queue(sharing=2), [], []

    def share() -> None:
        with queue.turn(shared=True):
            inside.append(1)
            seen.append(len(inside))
            time.sleep(0.02)
            inside.pop()

    with ThreadPoolExecutor(8) as pool:
        for _ in range(16):
            pool.submit(share)
        pool.shutdown()
    assert len(seen) == 16 and max(seen) == 2


def test_sharers_of_a_file_that_come_later_wait_behind_one_who_wants_it_alone(tmp_path: Path) -> None:
    file, served = tmp_path / "gpu", []
    inside, leave = threading.Event(), threading.Event()

    def early() -> None:
        with in_line(file, fcntl.LOCK_SH):
            inside.set()
            leave.wait(5)

    def take(name: str, how: int) -> None:
        with in_line(file, how):
            served.append(name)

    with ThreadPoolExecutor(3) as pool:
        pool.submit(early)
        inside.wait(5)
        pool.submit(take, "alone", fcntl.LOCK_EX)
        time.sleep(0.05)
        pool.submit(take, "late", fcntl.LOCK_SH)
        time.sleep(0.05)
        assert not served
        leave.set()
    assert served == ["alone", "late"]
