"""What is gone to for a measurement: several processes for those that may beat the best, all of it once more for a
new best."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from toys import PROBLEM, candidate

from tilewright.records import Effort, Job
from tilewright.worker import measuring
from tilewright.worker.measuring import Bench
from tilewright.worker.processes.nursery import Nursery
from tilewright.worker.timing.pacing import CPU_PLANS, Plan
from tilewright.worker.timing.rounds import Timer

RIGHT = candidate("return y")


class Counting(Nursery):
    """Counts the processes that held the candidate."""

    begun = 0

    def runner(self, name, *more, **options):  # type: ignore[no-untyped-def]
        self.begun += name == RIGHT.id
        return super().runner(name, *more, **options)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    scratch: Path = tmp_path_factory.mktemp("scratch")
    nursery = Counting(scratch)
    made = Bench(nursery, "cpu", scratch)
    yield made
    made.baselines.let_go()
    nursery.close()


@pytest.fixture(autouse=True)
def several_processes(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    """As on a GPU."""
    monkeypatch.setitem(CPU_PLANS, "full", replace(CPU_PLANS["full"], processes=2))
    bench.nursery.begun = 0  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("incumbent", "processes", "stopped"), [(None, 2, False), (1000.0, 1, True), (0.001, 2, False)]
)
def test_for_what_is_clearly_slower_no_second_process_is_made(
    bench: Bench, incumbent: float | None, processes: int, stopped: bool
) -> None:
    job = Job(RIGHT, PROBLEM, incumbent_ratio=incumbent, deadline_s=60)
    result = measuring._workload(bench, job, PROBLEM.workloads[0], 0)
    assert result.timing.stopped_early is stopped
    assert result.timing.processes == processes and bench.nursery.begun == processes  # type: ignore[attr-defined]


def test_what_is_not_clearly_slower_is_measured_in_full(bench: Bench) -> None:
    plan: Plan = CPU_PLANS["full"]
    result = measuring._workload(
        bench, Job(RIGHT, PROBLEM, incumbent_ratio=0.001, deadline_s=60), PROBLEM.workloads[0], 0
    )
    assert len(result.timing.headline.pairs) >= plan.least


@pytest.mark.parametrize(("effort", "anew"), [("full", False), ("confirm", True)])
def test_only_a_new_best_is_constructed_anew_between_pairs(
    bench: Bench, effort: Effort, anew: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a CPU; on a GPU every full measurement is."""
    pairs: list[int] = []
    rebuild = Timer._rebuild

    def counted(timer: Timer, cast: list[int]) -> None:
        rebuild(timer, cast)
        pairs.append(len(timer._timing.headline.pairs))

    monkeypatch.setattr(Timer, "_rebuild", counted)
    result = measuring._workload(bench, Job(RIGHT, PROBLEM, effort=effort, deadline_s=60), PROBLEM.workloads[0], 0)
    assert bool(pairs) is anew
    assert all(0 < count < len(result.timing.headline.pairs) for count in pairs)
