"""What counts as better."""

from dataclasses import replace

import pytest

from samples import attempt, estimated, measured, run, timing
from tilewright.records import Comparison, Measured, Mismatch, Wrong
from tilewright.scores import against, best, gain, keep, score


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


def test_a_measurement_that_something_speaks_against_is_never_the_best() -> None:
    doubtful = run(attempt(0, measured(1.0), 0, "seed"), attempt(1, measured(2.0, trust="C")))
    assert best(doubtful) is doubtful.attempts[0] and not keep(doubtful, doubtful.attempts[1])


def test_a_doubtful_seed_is_still_what_has_to_be_beaten() -> None:
    slower = run(attempt(0, measured(1.0, trust="C"), 0, "seed"), attempt(1, measured(0.5)))
    assert best(slower) is slower.attempts[0]
    faster = run(slower.attempts[0], attempt(1, measured(1.5)))
    assert best(faster) is faster.attempts[1]


def test_a_ratio_over_the_seed_that_was_measured_in_pairs_is_the_gain() -> None:
    paired = measured(1.5, comparisons=(Comparison("seed", "device", timing(1.8)),))
    finished = run(attempt(0, measured(1.0), 0, "seed"), attempt(1, paired))
    assert gain(finished)[2] == pytest.approx(1.8)  # type: ignore[index]


def test_workloads_are_weighed_together_for_each_baseline_and_clock() -> None:
    large = replace(timing(4.0), workload="large", weight=1.0)
    comparisons = (
        Comparison("compile", "device", timing(1.0)),
        Comparison("compile", "device", large),
        Comparison("eager", "latency", timing(1.2)),
    )
    found = against(measured(1.5, comparisons=comparisons).measurement)
    assert [(v.baseline, v.clock, round(v.ratio, 6)) for v in found] == [
        ("eager", "device", 1.5),
        ("compile", "device", 2.0),
        ("eager", "latency", 1.2),
    ]
