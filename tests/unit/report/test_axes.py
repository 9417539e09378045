"""Scales have a few round ticks, however long or short they are."""

import pytest

from tilewright.report.page.axes import scale


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.98, 1.04], [0.9, 0.95, 1.0, 1.05, 1.1, 1.15]),
        ([1.0, 3.0], [1.0, 1.5, 2.0, 2.5, 3.0]),
        ([0.4, 1.6], [0.5, 0.7, 1.0, 1.5]),
        ([0.01, 1.0], [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0]),
        ([1e-3, 1e6], [0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6]),
        ([], [0.9, 0.95, 1.0, 1.05, 1.1]),
    ],
)
def test_ticks_are_round(values: list[float], ticks: list[float]) -> None:
    assert scale(values, 0, 100).ticks() == pytest.approx(ticks)


def test_equal_ratios_are_equally_far_apart_and_nothing_leaves_the_plot() -> None:
    place = scale([1.0, 100.0], 0, 100, room=1)
    assert place(10.0) == pytest.approx(50) and place(0.0) == 0 and place(1e9) == 100
