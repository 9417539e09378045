"""When a run ends because little is left to gain."""

from __future__ import annotations

import pytest

from samples import attempt, estimated, measured, run
from tilewright.records import Attempt
from tilewright.search.stopping import StopRules


def stop_at(share: float | None, *, near: float = 0.95, evaluation: object = None) -> tuple[str, str] | None:
    def share_reached(one: Attempt, gpu: str) -> float | None:
        assert gpu == "H100"
        return share

    rules = StopRules(9.0, 0.05, 2, 5, near_optimal=near, share_reached=share_reached)
    return rules.within_turn(run(attempt(0, evaluation or measured(1.2))), 0.0)


def test_a_best_near_its_limit_ends_the_run_with_the_number() -> None:
    assert stop_at(0.962) == ("near_optimal", "near optimal: 96% of what H100 allows this problem")
    assert stop_at(0.94) is None


def test_an_estimate_near_the_limit_is_said_to_be_one() -> None:
    stopped = stop_at(0.97, evaluation=estimated(1.0))
    assert stopped is not None and "est. 97%" in stopped[1]


def test_above_its_limit_no_share_of_it_is_said() -> None:
    assert stop_at(1.07) == (
        "near_optimal",
        "near optimal: at what H100 allows this problem, as exactly as that is known",
    )


@pytest.mark.parametrize("share", [None, 1.8])
def test_without_a_limit_that_holds_for_the_kernel_the_run_goes_on(share: float | None) -> None:
    assert stop_at(share) is None


def test_a_doubtful_number_is_near_no_limit() -> None:
    assert stop_at(0.99, evaluation=measured(1.2, trust="C")) is None


def test_nought_never_stops() -> None:
    assert stop_at(0.99, near=0.0) is None


def test_the_target_is_said_before_the_limit() -> None:
    rules = StopRules(1.1, 0.05, 2, 5, near_optimal=0.5, share_reached=lambda *_: 0.99)
    stopped = rules.within_turn(run(attempt(0, measured(1.2))), 0.0)
    assert stopped is not None and stopped[0] == "target"


def test_until_a_kernel_is_right_there_is_no_plateau() -> None:
    failed = [attempt(number, None, turn=number) for number in (1, 2, 3)]
    rules = StopRules(9.0, 0.05, 2, 4)
    assert rules.after_turn(run(*failed), 3) is None
    assert rules.after_turn(run(attempt(0, measured(0.5), 0, "seed"), *failed), 3) == (
        "plateau",
        "3 turns without a gain of 5% over the best",
    )


def test_a_model_that_brought_nothing_may_bring_something_the_next_time() -> None:
    begun = run(attempt(0, measured(0.5), 0, "seed"))
    found = StopRules(9.0, 0.05, 2, 4).after_turn(begun, 1)
    assert found is not None and found[0] == "exhausted"
    assert StopRules(9.0, 0.05, 2, 4, exhaustible=False).after_turn(begun, 1) is None
