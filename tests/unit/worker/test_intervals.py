"""The interval of a median of pair ratios."""

import random
import statistics

import pytest

from tilewright.scores import mean_interval
from tilewright.worker.timing.intervals import median_interval


def test_equal_values_have_an_interval_without_width() -> None:
    assert median_interval([1.5] * 30) == (1.5, 1.5, 1.5)


def test_one_value_is_its_own_interval() -> None:
    assert median_interval([2.0]) == (2.0, 2.0, 2.0)


def test_no_values_have_no_median() -> None:
    with pytest.raises(ValueError):
        median_interval([])


def test_the_interval_is_the_one_that_resampling_finds() -> None:
    source = random.Random(4)
    values = [source.lognormvariate(0, 0.1) for _ in range(41)]
    medians = sorted(statistics.median(source.choices(values, k=41)) for _ in range(4000))
    median, low, high = median_interval(values)
    assert median == statistics.median(values)
    assert low == pytest.approx(medians[100], rel=0.02)
    assert high == pytest.approx(medians[3900], rel=0.02)


def test_the_interval_covers_the_true_median_as_often_as_it_says() -> None:
    source = random.Random(5)
    hits = 0
    for _ in range(300):
        _, low, high = median_interval([source.gauss(1, 0.1) for _ in range(30)])
        hits += low <= 1 <= high
    assert hits >= 0.92 * 300


def test_the_geometric_mean_of_one_workload_is_that_workload() -> None:
    assert mean_interval([(3.0, 1.2, 1.1, 1.3)]) == pytest.approx((1.2, 1.1, 1.3))


def test_weights_decide_how_much_a_workload_counts() -> None:
    mean, low, high = mean_interval([(3.0, 2.0, 1.9, 2.1), (1.0, 1.0, 0.9, 1.1)])
    assert mean == pytest.approx(2**0.75)
    assert low < mean < high
