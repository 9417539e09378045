"""What did a run's turns teach, and which of that is still to be answered?

Nothing in a run depends on it, so that no run waits for it: what is answered later is taken in when the run goes on,
or after its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from tilewright.errors import AwaitingAnswers, ModelError
from tilewright.protocols import Proposer, Reflector
from tilewright.records import Attempt, Brief, Lesson, Run, Told
from tilewright.search.briefs import by_brief, place_of, turn_briefs
from tilewright.search.policies import Policy


class Notebook(Protocol):
    """What is needed of the store."""

    def told(self, run_id: str, place: str) -> Told | None: ...
    def learn(self, run_id: str, place: str, lessons: Sequence[Lesson]) -> None: ...
    def learned(self, run_id: str, place: str) -> bool: ...
    def await_lessons(self, run_id: str, place: str) -> None: ...
    def awaited_lessons(self, run_id: str) -> tuple[str, ...]: ...


def reflect(
    run: Run, turn: int, briefs: Sequence[Brief], who: Sequence[Proposer], book: Notebook, note: Callable[[str], None]
) -> None:
    """Learn from a turn that is over; a proposer that can't just now costs its lessons and nothing else."""
    for place, reflector, brief, tried in _questions(run, turn, briefs, who):
        if not book.learned(run.id, place):
            _learn(run, place, reflector, brief, tried, book, note)


def take_in(
    run: Run,
    candidates_per_turn: int,
    policy: Policy,
    who: Sequence[Proposer],
    book: Notebook,
    note: Callable[[str], None],
) -> None:
    """Ask once more what awaited its answer when its turn ended, with the same words."""
    awaited = book.awaited_lessons(run.id)
    last = run.attempts[-1].turn if awaited and run.attempts else 0
    for turn in range(1, last + 1):
        grown = turn_briefs(run, turn, candidates_per_turn, policy)
        briefs = [
            brief.with_told(book.told(run.id, place_of(turn, number)) or Told()) for number, brief in enumerate(grown)
        ]
        for place, reflector, brief, tried in _questions(run, turn, briefs, who):
            if place in awaited:
                _learn(run, place, reflector, brief, tried, book, note)


def _questions(
    run: Run, turn: int, briefs: Sequence[Brief], who: Sequence[Proposer]
) -> Iterator[tuple[str, Reflector, Brief, Sequence[Attempt]]]:
    of_turn = [attempt for attempt in run.attempts if attempt.turn == turn]
    for number, (brief, tried) in enumerate(zip(briefs, by_brief(of_turn, briefs))):
        for proposer in who:
            if isinstance(proposer, Reflector) and tried:
                yield f"{place_of(turn, number)} lessons {proposer.name}", proposer, brief, tried


def _learn(
    run: Run,
    place: str,
    reflector: Reflector,
    brief: Brief,
    tried: Sequence[Attempt],
    book: Notebook,
    note: Callable[[str], None],
) -> None:
    try:
        book.learn(run.id, place, reflector.reflect(brief, tried))
    except ModelError as error:
        note(f"no lesson from turn {brief.turn}: {error}")
    except AwaitingAnswers as waiting:
        book.await_lessons(run.id, place)
        note(f"no lesson from turn {brief.turn} yet: {waiting}")
