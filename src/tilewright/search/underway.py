"""Which candidates are where on their way, right now?"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

Stages = Mapping[str, int]
"""How many are at each stage: `proposing` (proposers), `queued`, the name of a gate, `ready` (to be evaluated) or
`evaluating`."""


@runtime_checkable
class Onlooker(Protocol):
    """A watcher that is told of every step, from several threads."""

    def under_way(self, stages: Stages) -> None: ...


class UnderWay:
    """Of one run; for several threads."""

    def __init__(self, tell: Callable[[Stages], None]) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._at: dict[str, str] = {}

    def moves(self, who: str, to: str | None) -> None:
        """None: it has arrived, or is given up."""
        with self._lock:
            if self._at.get(who) == to:
                return
            if to is None:
                del self._at[who]
            else:
                self._at[who] = to
            self._tell(Counter(self._at.values()))  # within the lock, so that the last one told is the last
