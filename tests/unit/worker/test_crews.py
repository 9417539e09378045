"""Several processes of a kind take turns, and an interval says what others might have shown."""

import random
import statistics

import pytest

from tilewright.worker.timing import crews
from tilewright.worker.timing.crews import Crew
from tilewright.worker.timing.intervals import between_processes
from tilewright.worker.timing.series import Series


def crew(members: int) -> Crew:
    made = Crew("candidate", random.Random(0))
    made.sides = [object()] * members  # type: ignore[list-item]
    return made


def test_each_has_its_turn_before_one_has_another() -> None:
    taken = crew(4)
    turns = [[taken.next() for _ in range(4)] for _ in range(50)]
    assert all(sorted(four) == [0, 1, 2, 3] for four in turns)
    assert len(set(map(tuple, turns))) > 10


def test_those_who_come_later_catch_up() -> None:
    taken = crew(2)
    for _ in range(6):
        taken.next()
    taken.sides += taken.sides
    assert {taken.next() for _ in range(6)} == {2, 3}


def drawn(processes: int, spread: float, seed: int) -> Series:
    """100 pairs of a kernel against itself, in so many processes of each kind, which differ by that much."""
    chooser = random.Random(seed)
    offsets = [[chooser.gauss(1, spread) for _ in range(processes)] for _ in range(2)]
    series = Series("itself", "device")
    for _ in range(100 // processes):
        orders = [chooser.sample(range(processes), processes) for _ in range(2)]
        for mine, other in zip(*orders):
            series.add(
                [offsets[0][mine] * chooser.gauss(1, 0.002)],
                [offsets[1][other] * chooser.gauss(1, 0.002)],
                (mine, other),
            )
    return series


def test_an_interval_of_pairs_says_nothing_of_other_processes_and_one_between_them_does() -> None:
    """By pairs alone, a kernel differs from itself in most of such comparisons."""
    by_pairs = by_processes = 0
    for seed in range(60):
        series = drawn(4, 0.01, seed)
        by_pairs += series.low <= 1 <= series.high
        series.allow_for_processes()
        by_processes += series.low <= 1 <= series.high
    assert by_pairs < 20
    assert by_processes > 48


def test_where_processes_agree_the_interval_stays_narrow() -> None:
    series = drawn(4, 0.0, 1)
    low, high = between_processes([b / c for c, b in series.pairs], series.places)
    assert high - low < 0.004


def test_one_process_of_each_says_nothing_of_others() -> None:
    values = [1.0, 1.1, 1.2]
    assert between_processes(values, [(0, 0)] * 3) == (statistics.median(values),) * 2


def test_fewer_processes_hold_what_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    class Properties:
        total_memory = 80 << 30

    monkeypatch.setattr(crews.torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(crews.torch.cuda, "get_device_properties", lambda _: Properties)
    assert crews.processes(4, 1 << 20, kinds=2) == 4
    assert crews.processes(4, 2 << 30, kinds=2) == 1
    assert crews.processes(4, 1 << 30, kinds=2) == 3
