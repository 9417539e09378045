"""A model is told what a run asks of candidates beyond what all runs do."""

import pytest

from tilewright.records import Problem
from tilewright.wording.task import task, terms

PROBLEM = Problem("1_Sum", "class Model: ...")


def test_a_run_like_all_others_asks_for_nothing_more() -> None:
    assert terms("report", backward=False, error_factor=16.0) == []


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (terms("own-kernels", False, 16.0), "kernels of your own"),
        (terms("report", True, 16.0), "Gradients"),
        (terms("report", False, 4.0), "4 times PyTorch's own"),
    ],
)
def test_what_would_reject_a_candidate_is_told_before(asked: list[str], said: str) -> None:
    assert len(asked) == 1
    assert said in task(PROBLEM, "H100", asked).splitlines()[-1]
