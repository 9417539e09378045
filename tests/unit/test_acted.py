"""The benchmark of first findings: which pairs it times, and what its rows say of them."""

from __future__ import annotations

import pytest

from benchmarks.acted import BLIND, jobs, row
from samples import measured
from tilewright.records import Crashed


def test_every_blind_kernel_is_timed_against_what_it_was_before() -> None:
    found = jobs((), "H100")
    assert set(found) == {path.stem for path in (BLIND / "kernels").glob("*.py")}
    for name, job in found.items():
        (before,) = job.baselines
        assert before.name == "before" and before.kernel and before.kernel.id != job.candidate.id
        assert job.problem.name.startswith(f"{name}_")


@pytest.mark.parametrize(("ratio", "worth_it"), [(1.09, False), (1.1, True), (3.0, True)])
def test_a_tenth_faster_is_worth_acting(ratio: float, worth_it: bool) -> None:
    assert row("1_14", measured(ratio))["worth_it"] is worth_it


def test_a_kernel_that_fails_gains_nothing_and_says_why() -> None:
    found = row("1_14", Crashed("illegal memory access"))
    assert found["worth_it"] is False and "illegal memory access" in found["message"]
