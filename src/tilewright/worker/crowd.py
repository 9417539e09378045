"""Who is at work in this process at the same time?

Candidates are judged side by side, and share the device's memory. One for which it was too little is judged once more
while nobody else is.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator


class Crowd:
    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._present = 0
        self._waiting_to_be_alone = 0

    @property
    def is_by_itself(self) -> bool:
        """Whether somebody is, or waits to be."""
        return self._waiting_to_be_alone > 0

    @contextlib.contextmanager
    def among_others(self) -> Iterator[None]:
        """Waits while somebody is, or wants to be, by itself."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting_to_be_alone == 0)
            self._present += 1
        try:
            yield
        finally:
            self._leave()

    @contextlib.contextmanager
    def by_itself(self) -> Iterator[None]:
        """Waits until nobody is there. Not from within `among_others`."""
        with self._changed:
            self._waiting_to_be_alone += 1
            self._changed.wait_for(lambda: self._present == 0)
            self._present = 1
        try:
            yield
        finally:
            with self._changed:
                self._waiting_to_be_alone -= 1
            self._leave()

    def _leave(self) -> None:
        with self._changed:
            self._present -= 1
            self._changed.notify_all()
