"""One run: turns of structure changes and knob search, each attempt durable before the next thing happens.

The run's state is its list of attempts and nothing else, so a run that was killed goes on from the store.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from tilewright.errors import AwaitingAnswers, AwaitingGpu, BudgetSpent, ModelUnavailable, NoMachine
from tilewright.protocols import Proposer, Repairer
from tilewright.records import (
    Attempt,
    Brief,
    Candidate,
    CompileFailed,
    Crashed,
    Reason,
    Rejected,
    Run,
    TimedOut,
    Wrong,
)
from tilewright.scores import best, score
from tilewright.search.briefs import before_knobs, by_brief, place_of, turn_briefs
from tilewright.search.parts import Memory, Parts, Phase
from tilewright.search.reflecting import reflect, take_in
from tilewright.search.trying import Trying
from tilewright.search.underway import UnderWay

NO_KERNEL = Rejected("generate", (Reason("no-kernel", "there is no TileLang kernel yet", None, "Write one."),))
Failed = (Rejected, CompileFailed, Wrong, Crashed, TimedOut)
"""What a candidate can be repaired of."""
TUNED_AT_ONCE = 4
"""Settings asked for at a time: more fill the compiler's cores, fewer learn sooner. Of 20 made-up landscapes the
search reached within 10 % of the best after 40 settings in all with 1 or 4 at a time, in 15 with 8."""


def continue_run(run: Run, seed: Candidate, parts: Parts) -> Run:
    """Start or go on with `run` until a stop rule holds; returns it with its reason recorded."""
    started = time.monotonic() - run.seconds
    with ThreadPoolExecutor(max_workers=parts.workers) as pool:
        work = _Work(run, parts, pool, started)
        try:
            reason = work.go(seed)
        except KeyboardInterrupt:
            parts.watcher.note("interrupted; what is being compiled or checked comes to its end first")
            reason = ("interrupted", f"resume with: tilewright resume {run.id}")
            pool.shutdown(wait=False, cancel_futures=True)
        except AwaitingAnswers as waiting:
            reason = ("awaiting_answers", f"{waiting} Go on with: tilewright resume {run.id}")
        except AwaitingGpu as waiting:
            reason = ("awaiting_gpu", f"{waiting} Go on where one is: tilewright resume {run.id}")
        except BudgetSpent as spent:
            reason = ("budget", str(spent))
        except ModelUnavailable as error:
            reason = ("model_unavailable", f"{error} Go on with: tilewright resume {run.id}")
        except NoMachine as error:
            reason = ("no_machine", f"{str(error).rstrip('.')}. Go on with: tilewright resume {run.id}")
    ended = replace(work.run, stop_reason=reason[0], stop_detail=reason[1], seconds=time.monotonic() - work.started)
    parts.memory.finish(ended)
    parts.watcher.stopped(ended)
    return ended


class _Work:
    """The run in hand and what it needs; `go` is its one verb."""

    def __init__(self, run: Run, parts: Parts, pool: ThreadPoolExecutor, started: float) -> None:
        self.run, self.parts, self.started = run, parts, started
        self.way = UnderWay(parts.under_way)
        self.trying = Trying(parts, pool, self.way, lambda: self.run)

    def go(self, seed: Candidate) -> tuple[str, str]:
        take_in(self.run, self.parts.candidates_per_turn, self.parts.search, *self._learning())
        if not self.run.attempts:
            if self.parts.from_nothing:
                self._add(Attempt(0, 0, "seed", seed, NO_KERNEL))
            else:
                self._try_all([seed], turn=0, phase="seed")
        failed = self._seed_failure()
        if failed:
            return failed
        turn = max(1, self.run.attempts[-1].turn)
        while True:
            self._let_others_go_first()
            stop = self._stopping() or self._turn(turn) or self.parts.stop.after_turn(self.run, turn)
            if stop:
                return stop
            turn += 1

    def _let_others_go_first(self) -> None:
        clock = time.monotonic()
        self.parts.before_turn(self.run)
        self.started += time.monotonic() - clock

    def _seed_failure(self) -> tuple[str, str] | None:
        first = self.run.attempts[0]
        if score(first.evaluation) is not None:
            return None
        if self.parts.from_nothing or (isinstance(first.evaluation, Wrong) and self.parts.repair):
            return None
        if isinstance(first.evaluation, Wrong):
            return "seed_wrong", first.evaluation.mismatch.message
        if first.evaluation is None:
            return "machinery", f"{first.error.rstrip('.')}. Go on with: tilewright resume {self.run.id}"
        return "seed_failed", first.evaluation.outcome

    def _turn(self, turn: int) -> tuple[str, str] | None:
        """One round of structure changes, then the knob search on the best of them."""
        grown = turn_briefs(self.run, turn, self.parts.candidates_per_turn, self.parts.search)
        briefs = [self._told(brief, number) for number, brief in enumerate(grown)]
        proposals: list[Candidate] = []
        waiting: AwaitingAnswers | None = None
        for number, brief in enumerate(briefs):
            for proposer in self.parts.structure_proposers:
                try:
                    place = f"{place_of(turn, number)} structure {proposer.name}"
                    proposals += self._ask(proposer, brief, place)
                except AwaitingAnswers as error:
                    waiting = error
        try:
            stop = self._try_all(proposals, turn, "structure")
        except AwaitingGpu as error:
            if waiting is None:
                raise
            raise AwaitingAnswers(f"{waiting} {error}", waiting.prompts) from error
        if waiting and not stop:  # what the others proposed is known by then
            raise waiting
        stop = stop or self._mend(briefs, turn) or self._search_knobs(turn)
        reflect(self.run, turn, briefs, *self._learning())
        return stop

    def _mend(self, briefs: Sequence[Brief], turn: int) -> tuple[str, str] | None:
        """Have what failed repaired by those who proposed it, as often as is allowed."""
        for number, brief in enumerate(briefs):
            for proposer in self.parts.structure_proposers:
                if not isinstance(proposer, Repairer):
                    continue
                for repair in range(self.parts.repairs):
                    failed = _failed(self._of(turn, briefs)[number], proposer.name, repair)
                    if not failed:
                        break
                    place = f"{place_of(turn, number)} repair {repair} {proposer.name}"
                    mended = self._remembering(place, partial(proposer.repair, brief, failed))
                    stop = self._try_all(mended, turn, "structure")
                    if stop:
                        return stop
        return None

    def _learning(self) -> tuple[Sequence[Proposer], Memory, Callable[[str], None]]:
        """Who reflects, where that is kept, and who is told of what isn't learned."""
        return self.parts.structure_proposers, self.parts.memory, self.parts.watcher.note

    def _of(self, turn: int, briefs: Sequence[Brief]) -> list[list[Attempt]]:
        return by_brief([attempt for attempt in self.run.attempts if attempt.turn == turn], briefs)

    def _search_knobs(self, turn: int) -> tuple[str, str] | None:
        if self.parts.tuner is None:
            return None
        search, budget = self.parts.search, self.parts.tune_budget
        bases = search.structures(before_knobs(self.run, turn), turn)
        equal = int(budget * search.shared) // len(bases) if len(bases) > 1 else budget
        for number, base in enumerate(bases):
            stop = self._tune(self.parts.tuner, base, turn, number, equal)
            if stop:
                return stop
        leader = search.select(before_knobs(self.run, turn, but=equal))[0].candidate.structure_id
        left = budget - equal * (len(bases) - 1)
        return self._tune(self.parts.tuner, leader, turn, len(bases), left)

    def _tune(self, tuner: Proposer, structure: str, turn: int, number: int, budget: int) -> tuple[str, str] | None:
        step = 0
        while True:
            family = [a for a in self.run.attempts if a.candidate.structure_id == structure]
            spent = sum(a.turn == turn and a.phase == "knobs" for a in family)
            if spent >= budget or not family:
                return None
            parent = best(replace(self.run, attempts=tuple(family))) or family[0]
            place = f"turn {turn} knobs {number} step {step}"
            limit = min(budget - spent, TUNED_AT_ONCE, max(2, self.parts.workers))
            brief = Brief(self.run.problem, parent, self.run.attempts, turn, "knobs", self.run.gpu, limit)
            proposals = self._ask(tuner, brief, place)
            fresh = self._unknown(proposals)
            if not proposals:
                return None
            stop = self._try_all(fresh, turn, "knobs")
            if stop:
                return stop
            step += 1

    def _told(self, brief: Brief, number: int) -> Brief:
        place = place_of(brief.turn, number)
        told = self.parts.memory.told(self.run.id, place)
        if told is None:
            told = self.parts.inform(brief)
            self.parts.memory.tell(self.run.id, place, told)
        return brief.with_told(told)

    def _ask(self, proposer: Proposer, brief: Brief, place: str) -> Sequence[Candidate]:
        return self._remembering(place, lambda: tuple(proposer.propose(brief))[: brief.limit])

    def _remembering(self, place: str, ask: Callable[[], Sequence[Candidate]]) -> Sequence[Candidate]:
        answer = self.parts.memory.remembered(self.run.id, place)
        if answer is None:
            self.way.moves(place, "proposing")
            try:
                answer = tuple(ask())
            finally:
                self.way.moves(place, None)
            self.parts.memory.remember(self.run.id, place, answer)
        return answer

    def _unknown(self, candidates: Iterable[Candidate]) -> list[Candidate]:
        seen = {attempt.candidate.id for attempt in self.run.attempts}
        fresh = []
        for candidate in candidates:
            if candidate.id not in seen:
                seen.add(candidate.id)
                fresh.append(candidate)
        return fresh

    def _stopping(self) -> tuple[str, str] | None:
        return self.parts.stop.within_turn(self.run, time.monotonic() - self.started) or self.parts.called_off()

    def _try_all(self, candidates: Iterable[Candidate], turn: int, phase: Phase) -> tuple[str, str] | None:
        fresh = self._unknown(candidates)
        begun = len(self.run.attempts)
        with contextlib.closing(self.trying.each(fresh, turn, phase)) as attempts:
            try:
                for attempt in attempts:
                    self._add(attempt)
                    stop = None if phase == "seed" else self._stopping()
                    if stop:
                        return stop
            except AwaitingGpu as error:
                left = len(fresh) - (len(self.run.attempts) - begun)
                raise AwaitingGpu(_waiting(left, self.run.gpu)) from error
        return self._stopping()

    def _add(self, attempt: Attempt) -> None:
        self.way.moves(attempt.candidate.id, None)
        self.parts.memory.append(self.run.id, attempt)
        self.run = replace(self.run, attempts=(*self.run.attempts, attempt))
        self.parts.watcher.tried(self.run, attempt)


def _waiting(candidates: int, gpu: str) -> str:
    wait = "1 candidate waits" if candidates == 1 else f"{candidates} candidates wait"
    return f"{wait} to be measured on a GPU ({gpu})."


def _failed(tried: Sequence[Attempt], proposer: str, repairs: int) -> list[Attempt]:
    """Of a proposer's structures among a turn's attempts those that failed after so many repairs."""
    mended: dict[str, int] = {}
    found = []
    for attempt in tried:
        candidate = attempt.candidate
        if (attempt.phase, candidate.proposer) == ("structure", proposer):
            mended[candidate.id] = mended.get(candidate.parent or "", -1) + 1
            if mended[candidate.id] == repairs and isinstance(attempt.evaluation, Failed):
                found.append(attempt)
    return found
