"""Processes of baselines: which are begun, kept, used once more, ended."""

from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest

from tilewright.records import Baseline, Candidate, Problem, Workload
from tilewright.worker.timing.baselines import _KEPT, Baselines


class Process:
    usable = True

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.closed = False

    def ask(self, request: dict[str, Any], deadline: object) -> None:
        self.asked.append(request["op"])

    def close(self) -> None:
        self.closed = True


class Nursery:
    def __init__(self) -> None:
        self.begun: list[Process] = []

    def runner(self, name: str, deadline: object, whose: str) -> Process:
        self.begun.append(Process())
        return self.begun[-1]


def trial(source: str = "class Model: pass") -> Any:
    handed: list[Process] = []
    return SimpleNamespace(
        reference=SimpleNamespace(problem=Problem("p", source), workload=Workload()),
        backward=False,
        deadline=None,
        construction=lambda gaps: {"op": "construct"},
        hand_parameters=handed.append,
        handed=handed,
    )


@pytest.fixture
def nursery() -> Nursery:
    return Nursery()


def test_processes_that_were_used_side_by_side_are_both_used_once_more(nursery: Nursery) -> None:
    baselines, one, other = Baselines(nursery, "cpu"), trial(), trial()  # type: ignore[arg-type]
    with baselines.running(one, [], False, 2), baselines.running(other, [], False, 2):
        assert len(nursery.begun) == 4
    with baselines.running(one, [], False, 4) as [(name, crew)]:
        assert name == "eager" and set(crew) == set(nursery.begun) and len(nursery.begun) == 4
        assert set(one.handed) >= set(crew), "each has the parameters of the trial at hand"
    assert not any(process.closed for process in nursery.begun)


def test_more_of_them_are_begun_where_those_kept_are_too_few(nursery: Nursery) -> None:
    baselines, one = Baselines(nursery, "cpu"), trial()  # type: ignore[arg-type]
    with baselines.running(one, [], False, 2):
        pass
    with baselines.running(one, [], False, 3) as [(_, crew)]:
        assert len(crew) == 3 and len(nursery.begun) == 3
    assert [process.asked for process in nursery.begun] == [["load", "construct"]] * 3, "none twice"


def test_another_kernel_is_another_baseline(nursery: Nursery) -> None:
    baselines, one = Baselines(nursery, "cpu"), trial()  # type: ignore[arg-type]
    wanted = [Baseline("seed", Candidate(text)) for text in ("a", "b")]
    with baselines.running(one, wanted[:1], False, 1):
        pass
    with baselines.running(one, wanted[1:], False, 1) as named:
        assert [name for name, _ in named] == ["eager", "seed"]
    assert len(nursery.begun) == 3


def test_those_used_longest_ago_are_ended_where_there_are_many(nursery: Nursery) -> None:
    baselines = Baselines(nursery, "cpu")  # type: ignore[arg-type]
    for number in range(_KEPT):
        with baselines.running(trial(f"reference {number}"), [], False, 2):
            pass
    closed = [process.closed for process in nursery.begun]
    assert closed == [True] * _KEPT + [False] * _KEPT


def test_fresh_ones_and_those_that_failed_are_ended(nursery: Nursery) -> None:
    baselines = Baselines(nursery, "cpu")  # type: ignore[arg-type]
    with ExitStack() as stack:
        stack.enter_context(baselines.running(trial(), [], True, 2))
        (_, crew), *_ = stack.enter_context(baselines.running(trial("other"), [], False, 2))
        crew[0].usable = False
    assert [process.closed for process in nursery.begun] == [True, True, True, False]
