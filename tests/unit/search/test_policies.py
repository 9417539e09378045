"""Which attempts a policy grows from, whose knobs it searches, and what a run does with that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from samples import attempt, candidate, measured, run
from tilewright.errors import ConfigError
from tilewright.evaluators.replay import ReplayEvaluator
from tilewright.protocols import Proposer
from tilewright.records import Attempt, Brief, Candidate, Evaluation, Lesson, Mismatch, Wrong
from tilewright.report.terminal import QuietWatcher
from tilewright.search.briefs import by_brief, turn_briefs
from tilewright.search.loop import continue_run
from tilewright.search.parts import Parts
from tilewright.search.policies import Policy, policy_named
from tilewright.search.policies.beam import Beam
from tilewright.search.policies.greedy import Greedy
from tilewright.search.stopping import StopRules
from tilewright.store import Store


def setting_of(other: Attempt, index: int, ratio: float) -> Attempt:
    """A knob setting of another attempt's structure."""
    tuned = attempt(index, measured(ratio), phase="knobs")
    return replace(tuned, candidate=replace(tuned.candidate, structure=other.candidate.id))


SEED = attempt(0, measured(0.2), turn=0, phase="seed")
FAST, NEAR, SLOW = attempt(1, measured(1.0)), attempt(2, measured(0.8)), attempt(3, measured(0.7))


def indices(attempts: Sequence[Attempt]) -> list[int]:
    return [one.index for one in attempts]


def test_greedy_grows_from_the_best_alone() -> None:
    assert indices(Greedy().select(run(SEED, FAST, NEAR))) == [1]


def test_greedy_tunes_the_best_and_the_best_new_structure_that_is_promising() -> None:
    fresh = replace(NEAR, turn=2), replace(SLOW, turn=2)
    assert Greedy().structures(run(SEED, FAST, *fresh), 2) == [FAST.candidate.id, NEAR.candidate.id]
    hopeless = replace(SLOW, turn=2, evaluation=measured(0.3))
    assert Greedy().structures(run(SEED, FAST, hopeless), 2) == [FAST.candidate.id]


def test_a_beam_grows_from_the_best_setting_of_each_of_the_best_structures() -> None:
    tuned = setting_of(NEAR, 4, 0.9)
    assert indices(Beam(3).select(run(SEED, FAST, NEAR, SLOW, tuned))) == [1, 4, 3]
    assert indices(Beam(2).select(run(SEED, FAST, NEAR, SLOW, tuned))) == [1, 4]
    assert Beam(2).structures(run(SEED, FAST, NEAR, SLOW, tuned), 1) == [FAST.candidate.id, NEAR.candidate.id]


def test_far_slower_doubtful_early_ended_and_repeated_structures_leave_the_beam() -> None:
    others = [
        attempt(2, measured(0.4)),
        attempt(3, measured(2.0, trust="C")),
        attempt(4, measured(0.9, stopped_early=True)),
        attempt(5, measured(0.9), shared_with=1),
        attempt(6, Wrong(Mismatch("no"))),
    ]
    assert indices(Beam(9).select(run(SEED, FAST, *others))) == [1]


@pytest.mark.parametrize("policy", [Greedy(), Beam(3)])
def test_where_nothing_has_a_score_a_turn_grows_from_the_seed(policy: Greedy | Beam) -> None:
    begun = run(attempt(0, Wrong(Mismatch("no")), turn=0, phase="seed"))
    assert indices(policy.select(begun)) == [0] and policy.structures(begun, 1) == [begun.attempts[0].candidate.id]


def test_a_beam_shares_a_turn_s_candidates() -> None:
    briefs = turn_briefs(run(SEED, FAST, NEAR, SLOW), 2, 4, Beam(3))
    assert [(brief.parent.index, brief.limit) for brief in briefs] == [(1, 2), (2, 1), (3, 1)]
    assert len(turn_briefs(run(SEED, FAST, NEAR, SLOW), 2, 2, Beam(3))) == 2


def test_what_a_turn_tried_belongs_to_the_parent_that_it_descends_from() -> None:
    briefs = turn_briefs(run(SEED, FAST, NEAR), 2, 4, Beam(2))
    child = attempt(4, Wrong(Mismatch("no")), turn=2)
    child = replace(child, candidate=replace(child.candidate, parent=NEAR.candidate.id))
    mended = attempt(5, measured(1.1), turn=2)
    mended = replace(mended, candidate=replace(mended.candidate, parent=child.candidate.id))
    tuned = setting_of(FAST, 6, 1.05)
    assert [indices(own) for own in by_brief([child, mended, tuned], briefs)] == [[6], [4, 5]]


@pytest.mark.parametrize("name", ["greedy", "beam:3"])
def test_a_policy_is_found_by_its_name(name: str) -> None:
    assert policy_named(name).name == name


@pytest.mark.parametrize("name", ["", "beam", "beam:0", "beam:x", "greedy:2", "annealing"])
def test_another_name_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(ConfigError, match="greedy, beam:N"):
        policy_named(name)


def recorded_of(ratios: Mapping[str, float]) -> dict[str, Evaluation]:
    return {candidate(name).id: measured(ratio) for name, ratio in ratios.items()}


def parts_of(
    store: Store,
    proposer: Proposer,
    recorded: Mapping[str, Evaluation],
    policy: Policy,
    turns: int = 5,
    tuner: Proposer | None = None,
    tune_budget: int = 0,
) -> Parts:
    return Parts(
        gates=[],
        evaluator=ReplayEvaluator(recorded),
        analyze=lambda *_: (),
        structure_proposers=[proposer],
        tuner=tuner,
        memory=store,
        watcher=QuietWatcher(),
        stop=StopRules(9.0, 0.05, 2, turns),
        candidates_per_turn=2,
        tune_budget=tune_budget,
        search=policy,
    )


class TwoWays:
    """From the seed a fast and a slower structure; the slower one has the child that beats all."""

    name = "two ways"

    def propose(self, brief: Brief) -> Sequence[Candidate]:
        children = {"seed": ("fast", "slower"), "fast": ("dead end",), "slower": ("fastest",)}
        parent = brief.parent.candidate
        return [candidate(name, parent.id) for name in children.get(parent.hypothesis, ())]


@pytest.mark.parametrize(("policy", "found"), [(Greedy(), 1.0), (Beam(2), 1.3)])
def test_a_beam_finds_what_lies_behind_a_slower_structure(policy: Greedy | Beam, found: float, store: Store) -> None:
    ratios = {"seed": 0.5, "fast": 1.0, "slower": 0.8, "dead end": 0.9, "fastest": 1.3}
    parts = parts_of(store, TwoWays(), recorded_of(ratios), policy)
    ended = continue_run(store.load("r1"), candidate("seed"), parts)
    assert max(one.evaluation.measurement.speedup_ratio for one in ended.attempts) == found  # type: ignore[union-attr]
    assert continue_run(store.load("r1"), candidate("seed"), parts).attempts == ended.attempts


class Numbers:
    """Tunes: the next numbers of the parent's structure."""

    name = "numbers"

    def propose(self, brief: Brief) -> Sequence[Candidate]:
        parent = brief.parent.candidate
        structure = next(one.candidate for one in brief.history if one.candidate.id == parent.structure_id)
        tried = sum(one.candidate.structure == structure.id for one in brief.history)
        names = [f"{structure.hypothesis} {number}" for number in range(tried, tried + brief.limit)]
        return [replace(candidate(name, parent.id), structure=structure.id) for name in names]


@pytest.mark.parametrize(
    ("policy", "settings"), [(Greedy(), {"fast": 4, "slower": 4}), (Beam(2), {"fast": 2, "slower": 6})]
)
def test_of_a_beam_s_settings_half_go_to_the_structure_that_is_ahead_once_all_were_tuned(
    policy: Greedy | Beam, settings: dict[str, int], store: Store
) -> None:
    """The slower structure has the better settings."""
    ratios = {"seed": 0.5, "fast": 1.0, "slower": 0.8}
    ratios |= {f"fast {n}": 0.9 for n in range(9)} | {f"slower {n}": 1.2 + n / 10 for n in range(9)}
    parts = parts_of(store, TwoWays(), recorded_of(ratios), policy, 1, tuner=Numbers(), tune_budget=8)
    for evaluations in (1, 3, 4, 5, 6, 9, None):  # killed and resumed again and again
        parts = replace(parts, stop=replace(parts.stop, max_evaluations=evaluations))
        ended = continue_run(store.load("r1"), candidate("seed"), parts)
    tuned = [one.candidate.hypothesis.split()[0] for one in ended.attempts if one.phase == "knobs"]
    assert {name: tuned.count(name) for name in settings} == settings


class Mends:
    """Its change of every kernel fails, and is mended; it writes down which parent's brief it was asked with."""

    name = "mends"

    def __init__(self) -> None:
        self.mended: list[tuple[str, list[str]]] = []
        self.looked_back: list[tuple[str, list[str]]] = []

    def propose(self, brief: Brief) -> Sequence[Candidate]:
        return [self._written("broken", brief)] if brief.turn == 2 else TwoWays().propose(brief)

    def repair(self, brief: Brief, failed: Sequence[Attempt]) -> Sequence[Candidate]:
        self.mended.append((brief.parent.candidate.hypothesis, [one.candidate.hypothesis for one in failed]))
        return [replace(self._written("mended", brief), parent=one.candidate.id) for one in failed]

    def reflect(self, brief: Brief, tried: Sequence[Attempt]) -> Sequence[Lesson]:
        self.looked_back.append((brief.parent.candidate.hypothesis, [one.candidate.hypothesis for one in tried]))
        return ()

    def _written(self, what: str, brief: Brief) -> Candidate:
        parent = brief.parent.candidate
        return replace(candidate(f"{what} {parent.hypothesis}", parent.id), proposer=self.name)


def test_in_a_beam_each_parent_s_brief_is_the_one_its_changes_are_mended_and_looked_back_on_with(
    store: Store,
) -> None:
    ratios = {"seed": 0.5, "fast": 1.0, "slower": 0.8, "mended fast": 1.1, "mended slower": 1.2}
    recorded = recorded_of(ratios) | {
        candidate(f"broken {name}").id: Wrong(Mismatch("no")) for name in ("fast", "slower")
    }
    writer = Mends()
    parts = parts_of(store, writer, recorded, Beam(2), 2)
    continue_run(store.load("r1"), candidate("seed"), parts)
    assert writer.mended == [("fast", ["broken fast"]), ("slower", ["broken slower"])]
    assert writer.looked_back[1:] == [
        ("fast", ["broken fast", "mended fast"]),
        ("slower", ["broken slower", "mended slower"]),
    ]
