"""Whose turn is it? As many runs work at a time as are allowed; of those that wait the most promising goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor

from tilewright.batching.spending import Spending


class Turns:
    """Hands out `jobs` places to the threads of kernels, a turn at a time. When all is over nobody waits any more.

    `promises`: of all kernels that are to be worked on, the first time.
    """

    def __init__(self, jobs: int, spending: Spending, promises: Mapping[str, float]) -> None:
        self._jobs, self._spending = jobs, spending
        self._changed = threading.Condition()
        self._working = 0
        self._waiting = dict(promises)

    def begin(self, kernel: str) -> None:
        """Wait for a place."""
        with self._changed:
            self._wait(kernel)

    def again(self, kernel: str, promise: float) -> None:
        """Give the place up, and wait for one with all others."""
        with self._changed:
            self._working -= 1
            self._waiting[kernel] = promise
            self._wait(kernel)

    def end(self) -> None:
        with self._changed:
            self._working -= 1
            self._changed.notify_all()

    def call_off(self, reason: tuple[str, str]) -> None:
        self._spending.call_off(reason)
        with self._changed:
            self._changed.notify_all()

    def _wait(self, kernel: str) -> None:
        self._changed.notify_all()
        self._changed.wait_for(lambda: self._is_next(kernel) or self._spending.over() is not None)
        del self._waiting[kernel]
        self._working += 1
        self._changed.notify_all()

    def _is_next(self, kernel: str) -> bool:
        return self._working < self._jobs and kernel == max(self._waiting, key=lambda one: self._waiting[one])


def side_by_side(
    kernels: Collection[str], turns: Turns, work: Callable[[str], None], give_up: Callable[[], None]
) -> None:
    """`work(kernel)` for each of those that `turns` knows, in a thread of its own, which waits for its place first.

    Ctrl-C calls the rest off, and `give_up` ends what is under way. An exception of one ends all, and is raised here.
    """

    def one(kernel: str) -> None:
        turns.begin(kernel)
        try:
            work(kernel)
        except BaseException:  # the thread's border: nobody is to wait for the others first
            turns.call_off(("machinery", f"the work on {kernel} broke off"))
            raise
        finally:
            turns.end()

    with ThreadPoolExecutor(max(len(kernels), 1), thread_name_prefix="tilewright-run") as pool:
        try:
            futures = [pool.submit(one, kernel) for kernel in kernels]
            for future in futures:
                future.result()
        except KeyboardInterrupt:
            turns.call_off(("interrupted", "stopped by hand"))
            give_up()
