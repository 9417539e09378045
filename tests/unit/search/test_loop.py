"""The loop, with recorded evaluations: what it tries, keeps, remembers, and when it stops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace

import pytest

from samples import candidate, estimated, measured
from tilewright.evaluators.replay import ReplayEvaluator
from tilewright.protocols import Verdict
from tilewright.records import (
    Baseline,
    Brief,
    Candidate,
    Crashed,
    Effort,
    Evaluation,
    Evidence,
    Job,
    Mismatch,
    Problem,
    Reason,
    Rejected,
    Run,
    TimedOut,
    Wrong,
)
from tilewright.report.terminal import QuietWatcher
from tilewright.scores import best
from tilewright.search.loop import continue_run
from tilewright.search.parts import Parts
from tilewright.search.stopping import StopRules
from tilewright.store import Store

SEED = candidate("seed")


class Scripted:
    """Proposes what it was given, turn by turn."""

    name = "scripted"

    def __init__(self, by_turn: Mapping[int, Sequence[Candidate]]) -> None:
        self.by_turn = by_turn
        self.asked: list[Brief] = []

    def propose(self, brief: Brief) -> Sequence[Candidate]:
        self.asked.append(brief)
        return self.by_turn.get(brief.turn, ())


class RefusesBad:
    name = "static"

    def check(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Verdict:
        if "bad" in candidate.source:
            return Verdict(failure=Rejected("static", (Reason("bad", "it is bad"),)))
        return Verdict(Evidence(not_checked=("nothing",)))


class Confirming:
    """Answers by the job's effort, and keeps the jobs."""

    name = "confirming"

    def __init__(self, answers: Mapping[tuple[str, Effort], Evaluation]) -> None:
        self.answers = answers
        self.jobs: list[Job] = []

    def submit(self, job: Job) -> Future[Evaluation]:
        self.jobs.append(job)
        answer: Future[Evaluation] = Future()
        answer.set_result(self.answers[job.candidate.id, job.effort])
        return answer

    def close(self) -> None: ...


def equal_by_hypothesis(problem: Problem, a: Candidate, _: Evidence, b: Candidate, __: Evidence) -> bool:
    return a.hypothesis.split()[0] == b.hypothesis.split()[0]


def parts(
    store: Store, proposer: Scripted, answers: Mapping[str, Evaluation], stop: StopRules | None = None, **more: object
) -> Parts:
    return Parts(
        gates=[RefusesBad()],
        evaluator=ReplayEvaluator(answers),
        analyze=lambda *_: (),
        structure_proposers=[proposer],
        tuner=None,
        memory=store,
        watcher=QuietWatcher(),
        stop=stop or StopRules(1.5, 0.05, 2, 5),
        candidates_per_turn=4,
        tune_budget=0,
        **more,  # type: ignore[arg-type]
    )


def go(
    store: Store, by_turn: Mapping[int, Sequence[Candidate]], answers: Mapping[str, Evaluation], **more: object
) -> Run:
    return continue_run(store.load("r1"), SEED, parts(store, Scripted(by_turn), answers, **more))  # type: ignore[arg-type]


def test_a_seed_at_the_target_stops_at_once(store: Store) -> None:
    ended = go(store, {1: [candidate("a")]}, {SEED.id: measured(1.6)})
    assert ended.stop_reason == "target" and len(ended.attempts) == 1


def test_a_doubtful_seed_is_at_no_target(store: Store) -> None:
    answer = measured(1.6)
    doubtful = replace(answer, measurement=replace(answer.measurement, trust="C"))
    assert go(store, {}, {SEED.id: doubtful}).stop_reason != "target"


def test_a_wrong_seed_stops_with_its_mismatch(store: Store) -> None:
    ended = go(store, {}, {SEED.id: Wrong(Mismatch("wrong at [0]"))})
    assert (ended.stop_reason, ended.stop_detail) == ("seed_wrong", "wrong at [0]")


def test_a_wrong_seed_is_the_first_task_with_repair(store: Store) -> None:
    fixed = candidate("fixed")
    answers = {SEED.id: Wrong(Mismatch("no")), fixed.id: measured(1.0)}
    ended = go(store, {1: [fixed]}, answers, repair=True)
    assert best(ended) is ended.attempts[1]


def test_the_best_is_kept_and_the_target_ends_the_run(store: Store) -> None:
    a, b = candidate("a"), candidate("b")
    ended = go(store, {1: [a, b]}, {SEED.id: measured(0.5), a.id: measured(0.7), b.id: measured(1.6)})
    holder = best(ended)
    assert holder is not None and holder.candidate.id == b.id and ended.stop_reason == "target"


def test_those_who_watch_are_told_how_many_candidates_are_where(store: Store) -> None:
    a, b, bad = candidate("a"), candidate("b"), candidate("bad")
    told: list[dict[str, int]] = []
    answers = {SEED.id: measured(0.5), a.id: measured(0.7), b.id: measured(1.6)}
    ended = go(store, {1: [a, bad, b]}, answers, under_way=lambda stages: told.append(dict(stages)))
    assert len(ended.attempts) == 4 and {"proposing": 1} in told
    assert {stage for stages in told for stage in stages} == {"proposing", "queued", "static", "ready", "evaluating"}
    assert max(sum(stages.values()) for stages in told) == 3 and told[-1] == {}


def test_two_turns_without_progress_are_a_plateau(store: Store) -> None:
    turns = {n: [candidate(f"t{n}")] for n in range(1, 6)}
    answers = {SEED.id: measured(0.5), **{turns[n][0].id: measured(0.5 + 0.001 * n) for n in turns}}
    ended = go(store, turns, answers)
    assert ended.stop_reason == "plateau" and ended.attempts[-1].turn == 2


def test_a_small_significant_gain_is_kept_but_does_not_reset_the_patience(store: Store) -> None:
    turns = {n: [candidate(f"t{n}")] for n in range(1, 6)}
    answers = {SEED.id: measured(0.5, 0.001), **{turns[n][0].id: measured(0.5 + 0.01 * n, 0.001) for n in turns}}
    ended = go(store, turns, answers)
    holder = best(ended)
    assert ended.stop_reason == "plateau" and holder is not None and holder.turn == 2


def test_nothing_left_to_try_ends_the_run(store: Store) -> None:
    assert go(store, {}, {SEED.id: measured(0.5)}).stop_reason == "exhausted"


def test_a_candidate_seen_before_is_not_paid_for_twice(store: Store) -> None:
    a = candidate("a")
    again = replace(a, hypothesis="the same in other words")
    ended = go(store, {1: [a, again], 2: [a]}, {SEED.id: measured(0.5), a.id: measured(0.6)})
    assert len(ended.attempts) == 2


def test_what_a_gate_refuses_is_recorded_and_never_evaluated(store: Store) -> None:
    bad = candidate("bad")
    ended = go(store, {1: [bad]}, {SEED.id: measured(0.5)})
    assert isinstance(ended.attempts[1].evaluation, Rejected)


def test_a_failure_of_the_machinery_abandons_the_attempt_and_goes_on(store: Store) -> None:
    unknown, a = candidate("unknown"), candidate("a")
    ended = go(store, {1: [unknown, a]}, {SEED.id: measured(0.5), a.id: measured(0.6)})
    assert ended.attempts[1].evaluation is None and "not in the recording" in ended.attempts[1].error
    assert ended.attempts[2].evaluation is not None


def test_estimates_have_no_target(store: Store) -> None:
    a = candidate("a")
    ended = go(store, {1: [a]}, {SEED.id: estimated(1.0), a.id: estimated(0.01)})
    assert ended.stop_reason == "exhausted" and best(ended) is ended.attempts[1]


def test_evaluations_are_capped(store: Store) -> None:
    many = [candidate(f"m{i}") for i in range(4)]
    answers = {SEED.id: measured(0.5), **{c.id: measured(0.5) for c in many}}
    ended = go(store, {1: many}, answers, stop=StopRules(9, 0.05, 2, 5, max_evaluations=2))
    assert ended.stop_reason == "evaluations" and len(ended.attempts) == 3


def test_a_resumed_run_repeats_nothing_and_asks_nobody_twice(store: Store) -> None:
    a, b = candidate("a"), candidate("b")
    answers = {SEED.id: measured(0.5), a.id: measured(0.7), b.id: measured(0.9)}
    go(store, {1: [a, b]}, answers, stop=StopRules(9, 0.05, 2, 5, max_evaluations=1))
    proposer = Scripted({1: [candidate("other")]})
    ended = continue_run(store.load("r1"), SEED, parts(store, proposer, {b.id: answers[b.id]}))
    assert [x.candidate.id for x in ended.attempts[:3]] == [SEED.id, a.id, b.id]
    assert [brief.turn for brief in proposer.asked] == [2]


def confirmed(store: Store, confirmation: Evaluation) -> tuple[Run, list[Job]]:
    """A run in which one candidate looks better than the seed and is measured again."""
    a = candidate("a")
    evaluator = Confirming(
        {(SEED.id, "full"): measured(1.0), (a.id, "full"): measured(1.2), (a.id, "confirm"): confirmation}
    )
    made = replace(parts(store, Scripted({1: [a]}), {}), evaluator=evaluator)
    return continue_run(store.load("r1"), SEED, made), evaluator.jobs


def test_only_the_confirmation_of_a_new_best_is_kept(store: Store) -> None:
    ended, jobs = confirmed(store, measured(1.15))
    assert best(ended) is ended.attempts[1] and ended.attempts[1].evaluation == measured(1.15)
    assert [job.effort for job in jobs] == ["full", "full", "confirm"]


def test_a_new_best_is_paired_with_the_seed_and_others_are_not(store: Store) -> None:
    _, jobs = confirmed(store, measured(1.15))
    assert [job.baselines for job in jobs] == [
        (Baseline("eager"),),
        (Baseline("eager"),),
        (Baseline("eager"), Baseline("seed", SEED)),
    ]


@pytest.mark.parametrize("confirmation", [measured(1.005), measured(1.2, trust="C"), Wrong(Mismatch("now it is"))])
def test_what_is_not_confirmed_is_not_the_best(store: Store, confirmation: Evaluation) -> None:
    ended, _ = confirmed(store, confirmation)
    assert best(ended) is ended.attempts[0] and ended.attempts[1].evaluation == confirmation


def test_equal_work_takes_the_earlier_evaluation_over(store: Store) -> None:
    a, again = candidate("a"), replace(candidate("b"), hypothesis="a in other words")
    ended = go(store, {1: [a, again]}, {SEED.id: measured(1.0), a.id: measured(0.8)}, equal_work=equal_by_hypothesis)
    assert ended.attempts[2].shared_with == 1 and ended.attempts[2].evaluation == measured(0.8)
    assert ended.attempts[2].cost.gpu_seconds == 0 and store.load("r1").attempts == ended.attempts


def test_what_does_the_work_of_the_best_is_measured_itself(store: Store) -> None:
    a, again = candidate("a"), replace(candidate("b"), hypothesis="a in other words")
    answers = {SEED.id: measured(1.0), a.id: measured(1.2), again.id: measured(1.21)}
    ended = go(store, {1: [a, again]}, answers, equal_work=equal_by_hypothesis)
    assert best(ended) is ended.attempts[1] and ended.attempts[2].shared_with is None


@pytest.mark.parametrize(
    ("outcome", "shared"),
    [
        (Wrong(Mismatch("no")), True),
        (Crashed("illegal address"), True),
        (TimedOut("no answer", 1.0), False),
        (measured(0.8, trust="C"), False),
    ],
)
def test_only_what_a_gpu_surely_said_is_shared(store: Store, outcome: Evaluation, shared: bool) -> None:
    a, again = candidate("a"), replace(candidate("b"), hypothesis="a in other words")
    answers = {SEED.id: measured(1.0), a.id: outcome, again.id: measured(0.9)}
    ended = go(store, {1: [a, again]}, answers, equal_work=equal_by_hypothesis)
    assert (ended.attempts[2].shared_with == 1) is shared
