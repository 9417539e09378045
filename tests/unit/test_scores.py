"""What counts as better."""

from dataclasses import replace

from samples import attempt, estimated, measured, run
from tilewright.records import Measured, Mismatch, Wrong
from tilewright.scores import best, gain, keep, score


def test_a_gain_inside_the_noise_is_none() -> None:
    noisy = run(attempt(0, measured(1.0), 0, "seed"), attempt(1, measured(1.05, spread=0.06)))
    assert not keep(noisy, noisy.attempts[1])


def test_the_low_end_of_the_interval_decides() -> None:
    better = run(attempt(0, measured(1.0), 0, "seed"), attempt(1, measured(1.05, spread=0.02)))
    assert keep(better, better.attempts[1])
    assert gain(better)[2] == 1.05  # type: ignore[index]


def test_measured_and_estimated_are_never_compared() -> None:
    mixed = run(attempt(0, measured(1.0), 0, "seed"), attempt(1, estimated(0.0001)))
    assert best(mixed) is mixed.attempts[0]


def test_an_estimate_has_no_speedup() -> None:
    value = score(estimated(0.5))
    assert value is not None and value.kind == "estimated" and value.value == 2.0


def test_a_measurement_that_was_stopped_early_is_never_the_best() -> None:
    early = run(attempt(0, measured(1.0), 0, "seed"), attempt(1, measured(2.0, stopped_early=True)))
    assert best(early) is early.attempts[0]


def test_a_wrong_kernel_has_no_score() -> None:
    assert score(Wrong(Mismatch("no"))) is None


def test_a_gain_that_slows_one_workload_down_is_none() -> None:
    seed = measured(1.0)
    fast = measured(1.5)
    slower = replace(fast.measurement.timings[0], high=0.9)
    fast = Measured(replace(fast.measurement, timings=(slower,)))
    uneven = run(attempt(0, seed, 0, "seed"), attempt(1, fast))
    assert not keep(uneven, uneven.attempts[1])
