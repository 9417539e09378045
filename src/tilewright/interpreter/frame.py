"""What changes while a launch runs: variables, the active lanes, memory, the line, the findings?"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from tilewright.interpreter.report import DeadlineExceeded, Fault, Problem
from tilewright.interpreter.values import Mask

if TYPE_CHECKING:
    from tilewright.interpreter.memory import Storage


Lottery = Callable[[int], Tensor]
"""In which order so many lanes take their turn, where it shows: a permutation."""


class Journal:
    """Collects the problems of a run, each once, and watches its deadline."""

    def __init__(self, deadline_s: float | None) -> None:
        self.started = time.perf_counter()
        self._deadline_s = deadline_s
        self._ends = None if deadline_s is None else self.started + deadline_s
        self._problems: dict[tuple[str, str, int | None], Problem] = {}

    def note(self, problem: Problem) -> None:
        self._problems.setdefault((problem.rule, problem.buffer, problem.line), problem)

    def check_deadline(self) -> None:
        if self._ends is not None and time.perf_counter() > self._ends:
            raise DeadlineExceeded(f"interpretation took longer than {self._deadline_s:g} s")

    def has_time_for(self, seconds: float) -> bool:
        return self._ends is None or time.perf_counter() + seconds < self._ends

    @property
    def problems(self) -> tuple[Problem, ...]:
        return tuple(self._problems.values())


class Frame:
    """The state of one chunk of thread blocks. `env` and `storages` are indexed by the program's slots."""

    __slots__ = (
        "barriers", "block_tags", "blocks", "env", "journal", "line", "lottery", "mask", "storages", "whole_grid",
    )  # fmt: skip

    def __init__(
        self,
        env: dict[int, Any],
        storages: dict[int, Storage],
        block_ids: Tensor,
        journal: Journal,
        lottery: Lottery,
        whole_grid: bool,
    ) -> None:
        self.env = env
        self.mask: Mask = None
        self.blocks = int(block_ids.numel())
        # Which block wrote an element last, in one byte: 0 is "none". Grids step by powers of two, so ids
        # that differ by a multiple of 255 (and would hide a race from each other) are rare.
        self.block_tags = (block_ids % 255 + 1).to(torch.uint8)
        self.storages = storages
        self.barriers: dict[int, list[Any]] = {}
        self.line: int | None = None
        self.journal = journal
        self.lottery = lottery
        self.whole_grid = whole_grid

    def fault(self, rule: str, message: str) -> Fault:
        return Fault(rule, message, self.line)

    def note(self, rule: str, message: str, buffer: str) -> None:
        self.journal.note(Problem(rule, message, buffer, self.line))
