"""What the loop does for a proposer that is a language model: repairs, lessons, waiting, what it is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest

from samples import candidate, measured
from tilewright.errors import AwaitingAnswers, BudgetSpent, ModelFailed, ModelUnavailable
from tilewright.evaluators.absent import AbsentEvaluator
from tilewright.evaluators.replay import ReplayEvaluator
from tilewright.protocols import Proposer, Verdict
from tilewright.records import (
    Attempt,
    Brief,
    Candidate,
    Evaluation,
    Evidence,
    Lesson,
    Measured,
    Mismatch,
    Problem,
    Rejected,
    Run,
    Told,
    Wrong,
)
from tilewright.report.terminal import QuietWatcher
from tilewright.search.loop import continue_run
from tilewright.search.parts import Parts
from tilewright.search.stopping import StopRules
from tilewright.store import Store

SEED = candidate("seed")
WRONG = Wrong(Mismatch("wrong at [0]"))


def written(name: str, parent: Candidate = SEED) -> Candidate:
    return replace(candidate(name), proposer="llm", parent=parent.id)


class Writer:
    """Proposes one kernel and mends it as often as it is asked to; `waits` are the places where nobody answers."""

    name = "llm"

    def __init__(self, first: Candidate, mended: Sequence[Candidate] = (), waits: Sequence[str] = ()) -> None:
        self.first, self.mended, self.waits = first, list(mended), set(waits)
        self.briefs: list[Brief] = []
        self.asked_to_mend: list[list[str]] = []
        self.error: Exception | None = None

    def propose(self, brief: Brief) -> Sequence[Candidate]:
        self.briefs.append(brief)
        self._wait("propose")
        if self.error:
            raise self.error
        return [self.first] if brief.turn == 1 else []

    def repair(self, brief: Brief, failed: Sequence[Attempt]) -> Sequence[Candidate]:
        self.asked_to_mend.append([attempt.candidate.id for attempt in failed])
        self._wait("repair")
        return [self.mended[len(self.asked_to_mend) - 1]] if len(self.asked_to_mend) <= len(self.mended) else []

    def reflect(self, brief: Brief, tried: Sequence[Attempt]) -> Sequence[Lesson]:
        if "reflect" in self.waits:
            raise ModelFailed("no lesson today")
        self._wait("lessons")
        return [Lesson(f"{len(tried)} tried", "always")]

    def _wait(self, place: str) -> None:
        if place in self.waits:
            raise AwaitingAnswers(f"{place} awaits its answer.", ("0001.prompt.md",))


class Fixed:
    name = "rewrites"

    def __init__(self, *found: Candidate) -> None:
        self.found = found

    def propose(self, brief: Brief) -> Sequence[Candidate]:
        return self.found if brief.turn == 1 else ()


class Refusing:
    """A gate that says no to one candidate."""

    name = "refusing"

    def __init__(self, refused: Candidate) -> None:
        self.refused = refused
        self.asked: list[str] = []

    def check(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Verdict:
        self.asked.append(candidate.id)
        return Verdict(evidence, Rejected(self.name, ()) if candidate == self.refused else None)


def go(store: Store, answers: dict[str, Evaluation], *proposers: Proposer, **more: object) -> Run:
    given: dict[str, object] = {
        "gates": [],
        "evaluator": ReplayEvaluator({SEED.id: measured(0.5), **answers}),
        "analyze": lambda *_: (),
        "structure_proposers": proposers,
        "tuner": None,
        "memory": store,
        "watcher": QuietWatcher(),
        "stop": StopRules(1.5, 0.05, 1, 1),
        "candidates_per_turn": 4,
        "tune_budget": 0,
        **more,
    }
    return continue_run(store.load("r1"), SEED, Parts(**given))  # type: ignore[arg-type]


def ids(ended: Run) -> list[str]:
    return [attempt.candidate.id for attempt in ended.attempts]


def test_what_fails_is_mended_by_who_wrote_it_and_what_is_right_is_left_alone(store: Store) -> None:
    first, mended = written("first"), written("mended", written("first"))
    other = candidate("other")
    writer = Writer(first, [mended])
    answers = {first.id: WRONG, mended.id: measured(0.9), other.id: WRONG}
    ended = go(store, answers, Fixed(other), writer)
    assert ids(ended) == [SEED.id, other.id, first.id, mended.id]
    assert writer.asked_to_mend == [[first.id]]


def test_repairs_end_after_as_many_as_are_allowed(store: Store) -> None:
    chain = [written("first")]
    for name in ("second", "third", "fourth"):
        chain.append(written(name, chain[-1]))
    writer = Writer(chain[0], chain[1:])
    ended = go(store, {one.id: WRONG for one in chain}, writer, repairs=2)
    assert ids(ended) == [SEED.id, *(one.id for one in chain[:3])]


def test_a_run_that_waits_for_a_repair_goes_on_with_it(store: Store) -> None:
    first, mended, again = written("first"), written("mended", written("first")), written("again", written("mended"))
    answers: dict[str, Evaluation] = {first.id: WRONG, mended.id: WRONG, again.id: measured(0.9)}
    waiting = go(store, answers, Writer(first, [], waits=["repair"]))
    assert waiting.stop_reason == "awaiting_answers" and ids(waiting) == [SEED.id, first.id]
    store.take("r1")
    writer = Writer(first, [mended, again])
    ended = go(store, answers, writer)
    assert ids(ended) == [SEED.id, first.id, mended.id, again.id]
    assert writer.briefs == []  # what was proposed is remembered
    assert writer.asked_to_mend == [[first.id], [mended.id]]


def test_what_others_propose_is_tried_before_the_run_waits(store: Store) -> None:
    other = candidate("other")
    ended = go(store, {other.id: measured(0.7)}, Writer(written("first"), waits=["propose"]), Fixed(other))
    assert ids(ended) == [SEED.id, other.id]
    assert ended.stop_reason == "awaiting_answers"


def test_candidates_that_wait_for_a_gpu_are_counted_and_their_gates_are_asked_once(store: Store) -> None:
    go(store, {}, stop=StopRules(1.5, 0.05, 1, 0))  # the seed was measured where a GPU is
    refused, right, other = candidate("refused"), candidate("right"), candidate("other")
    gate, absent = Refusing(refused), {"evaluator": AbsentEvaluator(), "gates_version": "v1"}
    details = []
    for _ in range(2):
        store.take("r1")
        ended = go(store, {}, Fixed(refused, right, other), gates=[gate], workers=1, **absent)
        details.append((ended.stop_reason, ended.stop_detail))
    wait = "2 candidates wait to be measured on a GPU (H100). Go on where one is: tilewright resume r1"
    assert details == [("awaiting_gpu", wait)] * 2
    assert Counter(gate.asked) == Counter({refused.id, right.id, other.id})
    assert ids(ended) == [SEED.id, refused.id]
    store.take("r1")
    go(store, {}, Fixed(), gates=[gate], **{**absent, "gates_version": "v2"})
    assert gate.asked.count(right.id) == 2  # other gates were not asked yet


def test_a_run_that_waits_for_answers_and_for_a_gpu_says_both(store: Store) -> None:
    go(store, {}, stop=StopRules(1.5, 0.05, 1, 0))
    store.take("r1")
    writer = Writer(written("first"), waits=["propose"])
    ended = go(store, {}, writer, Fixed(candidate("other")), evaluator=AbsentEvaluator())
    assert ended.stop_reason == "awaiting_answers"
    assert ended.stop_detail == (
        "propose awaits its answer. 1 candidate waits to be measured on a GPU (H100). "
        "Go on with: tilewright resume r1"
    )


@pytest.mark.parametrize(
    ("error", "reason"),
    [(BudgetSpent("2.00 USD were spent."), "budget"), (ModelUnavailable("no key."), "model_unavailable")],
)
def test_a_model_that_cannot_be_asked_ends_the_run_resumably(store: Store, error: Exception, reason: str) -> None:
    writer = Writer(written("first"))
    writer.error = error
    assert go(store, {}, writer).stop_reason == reason
    store.take("r1")
    ended = go(store, {written("first").id: measured(0.9)}, Writer(written("first")))
    assert ids(ended) == [SEED.id, written("first").id]


def test_a_turn_leaves_its_lessons_once(store: Store) -> None:
    first = written("first")
    go(store, {first.id: measured(0.9)}, Writer(first))
    assert [lesson for _, _, lesson in store.lessons()] == [Lesson("1 tried", "always")]


def test_lessons_that_fail_cost_nothing_else(store: Store) -> None:
    first = written("first")
    ended = go(store, {first.id: measured(0.9)}, Writer(first, waits=["reflect"]))
    assert isinstance(ended.attempts[1].evaluation, Measured) and store.lessons() == ()


@pytest.mark.parametrize(("ratio", "reason"), [(2.0, "target"), (0.9, "iterations")])
def test_lessons_that_nobody_answered_yet_stop_nothing_and_are_taken_in_when_the_run_goes_on(
    store: Store, ratio: float, reason: str
) -> None:
    first = written("first")
    ended = go(store, {first.id: measured(ratio)}, Writer(first, waits=["lessons"]))
    assert (ended.stop_reason, store.lessons()) == (reason, ())
    assert store.waiting() == ("r1",) and store.awaited_lessons("r1") == ("turn 1 lessons llm",)
    store.take("r1")
    assert go(store, {}, Writer(first)).stop_reason == reason
    assert [lesson for _, _, lesson in store.lessons()] == [Lesson("1 tried", "always")]
    assert store.waiting() == ()


def test_a_turn_that_is_over_is_learned_from_in_a_later_one(store: Store) -> None:
    """The first turn's question is answered together with what the second turn asks."""
    first = written("first")
    writer = Writer(first, waits=["lessons"])
    ended = go(store, {first.id: measured(0.9)}, writer, stop=StopRules(1.5, 0.05, 3, 2, exhaustible=False))
    assert ended.stop_reason == "iterations" and [brief.turn for brief in writer.briefs] == [1, 2]
    store.take("r1")
    go(store, {}, Writer(first), stop=StopRules(1.5, 0.05, 3, 2, exhaustible=False))
    assert len(store.lessons()) == 1


def test_what_a_turn_was_told_is_told_again_when_the_run_goes_on(store: Store) -> None:
    writer = Writer(written("first"), waits=["propose"])
    go(store, {}, writer, inform=lambda brief: Told(guidelines=("then",)))
    store.take("r1")
    again = Writer(written("first"))
    go(store, {written("first").id: measured(0.9)}, again, inform=lambda brief: Told(guidelines=("now",)))
    assert writer.briefs == again.briefs and again.briefs[0].guidelines == ("then",)


def test_without_a_kernel_the_first_right_one_is_all_that_is_wanted(store: Store) -> None:
    first, mended = written("first"), written("mended", written("first"))
    writer = Writer(first, [mended])
    stop = StopRules(1.5, 0.05, 1, 3, first_correct=True)
    ended = go(store, {first.id: WRONG, mended.id: measured(0.4)}, writer, from_nothing=True, stop=stop)
    assert isinstance(ended.attempts[0].evaluation, Rejected)
    assert ended.stop_reason == "generated" and ids(ended)[-1] == mended.id
