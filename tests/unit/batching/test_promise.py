"""Of which kernel is the most to be expected?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from samples import attempt, measured, run
from tilewright.batching.promise import EAGER_SHARE, Prospect, promise, prospect, prospect_unseen
from tilewright.records import Cost


def test_what_is_further_from_its_limit_promises_more() -> None:
    assert promise(Prospect(0.05)) > promise(Prospect(0.5)) > promise(Prospect(0.94)) > 0


def test_what_is_beyond_its_limit_promises_little_but_something() -> None:
    assert 0 < promise(Prospect(1.3)) == promise(Prospect(1.0)) < promise(Prospect(0.9))


def test_of_two_alike_the_cheaper_one_is_taken() -> None:
    assert promise(Prospect(0.2, (), 5.0)) == 2 * promise(Prospect(0.2, (), 10.0))


def test_turns_without_a_gain_let_it_fall_behind_and_one_that_gains_brings_it_back() -> None:
    idle = [promise(Prospect(0.2, (0.0,) * turns)) for turns in range(4)]
    assert idle == sorted(idle, reverse=True) and idle[3] < 0.6 * idle[0]
    assert promise(Prospect(0.2, (0.0, 0.0, 1.0))) > idle[2]


def test_the_latest_turn_counts_most() -> None:
    assert promise(Prospect(0.2, (0.0, 1.0))) > promise(Prospect(0.2, (1.0, 0.0)))


def test_a_turn_that_closed_nearly_all_of_the_headroom_is_believed() -> None:
    headroom = 0.10536  # ln(1 / 0.9)
    assert 0.85 * headroom < promise(Prospect(0.9, (5.0,), 1.0)) < headroom


def test_a_kernel_that_nobody_has_looked_at_is_judged_by_its_header_or_like_the_others() -> None:
    assert prospect_unseen(0.5, [1.0]).share == 0.5 * EAGER_SHARE
    assert prospect_unseen(None, [0.1, 0.4, 2.0]).share == 0.4 * EAGER_SHARE
    assert promise(prospect_unseen(0.02, [])) > promise(prospect_unseen(0.7, []))


def test_a_run_s_prospect_comes_from_its_attempts_alone() -> None:
    seed = attempt(0, measured(0.5), 0, "seed", cost=Cost(gpu_seconds=1.0))
    before = prospect(run(seed), lambda one, gpu: None)
    assert before.share == pytest.approx(0.5 * EAGER_SHARE) and before.gains == ()
    tried = [attempt(n, measured(0.5 * n), n, cost=Cost(gpu_seconds=2.0)) for n in (1, 2)]
    again = replace(attempt(3, measured(1.0), 2), shared_with=2)
    after = prospect(run(seed, *tried, again), lambda one, gpu: 0.25)
    assert after.share == 0.25
    assert after.gains == pytest.approx((0.0, 0.6931), abs=1e-4)
    assert after.turn_s == 2.0
