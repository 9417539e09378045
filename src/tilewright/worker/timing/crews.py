"""Which processes are timed against one another in a round, and how many are there of each kind?

A kernel of a few microseconds may be a percent or two faster in one process than in the next, for as long as that
process lives and wherever its tensors and its code lie (an H200, 14 us: 14.2 in one, 14.4 in another). So several
processes hold the same candidate, and several each baseline. They take turns, in an order that is drawn.
"""

from __future__ import annotations

import random
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from tilewright.worker.processes.nursery import Runner
from tilewright.worker.timing.sides import Side

T = TypeVar("T")
R = TypeVar("R")
Named = tuple[str, Sequence[Runner]]
"""What it is, and the processes that hold it."""
Hold = Callable[[int], Sequence[Named]]
"""Makes so many more processes of each kind, constructed with the parameters in force: the candidate's, and then
those of its baselines, of which eager is the first."""

_ROOM = 0.4
"""Of a device's memory, at most, for what all processes of a measurement hold."""
_CONTEXT_BYTES = 600 << 20
"""What a process is taken to need of a device's memory before it holds a tensor; not measured."""
_COPIES = 4
"""Of a call's inputs and outputs, at least, in each process."""
_GAP_STEP, _MOST_GAP = 512, 8 << 20


class Crew:
    """Processes that hold the same; each has its turn before one has another."""

    def __init__(self, name: str, drawn: random.Random) -> None:
        self.name = name
        self.sides: list[Side] = []
        self._drawn = drawn
        self._turns: Counter[int] = Counter()

    def next(self) -> int:
        """The place of the one whose turn it is: of those that had fewest, one that is drawn."""
        fewest = min(self._turns[place] for place in range(len(self.sides)))
        place = self._drawn.choice([place for place in range(len(self.sides)) if self._turns[place] == fewest])
        self._turns[place] += 1
        return place

    def leave_gate(self, gated: bool) -> None:
        """All of them run the same: what one process can't, none can."""
        for side in self.sides:
            side.gated = gated


def processes(most: int, call_bytes: int, kinds: int) -> int:
    """How many of each of so many kinds fit beside one another, at most `most`."""
    if not torch.cuda.is_initialized():
        return most
    room = _ROOM * torch.cuda.get_device_properties(0).total_memory / kinds
    return max(1, min(most, int(room / (_CONTEXT_BYTES + _COPIES * call_bytes))))


def elsewhere(places: int = 4) -> list[int]:
    """Bytes of other memory that something is to lie behind, drawn for each of so many places."""
    return [secrets.randbelow(_MOST_GAP // _GAP_STEP) * _GAP_STEP for _ in range(places)]


def at_once(work: Callable[[T], R], each: Iterable[T]) -> list[R]:
    """`work` of each of them, in a thread of its own; what one raises is raised when all are done."""
    each = list(each)
    with ThreadPoolExecutor(max(1, len(each))) as pool:
        return [done.result() for done in [pool.submit(work, one) for one in each]]
