"""When enough pairs were taken, what the evaluator's own clock says, and how far a number is trusted."""

from dataclasses import replace

import pytest
import torch
from toys import PROBLEM, candidate

from tilewright.records import Job
from tilewright.worker.isolation.sandbox import Isolation
from tilewright.worker.timing import gpu, trust
from tilewright.worker.timing.pacing import PLANS, enough
from tilewright.worker.timing.rounds import _block_size
from tilewright.worker.timing.series import Series, Timing
from tilewright.worker.verifying.expected import Expected, _output

SAMPLE = gpu.Sample(1980.0, 2619.0, 40.0, 300.0, reasons=0)
JOB = Job(candidate("return y"), PROBLEM)


def series(pairs: int = 100, ratio: float = 1.0, half_width: float = 0.001) -> Series:
    return Series("eager", "device", [(1.0, ratio)] * pairs, ratio, ratio - half_width, ratio + half_width)


def timing(**given: object) -> Timing:
    taken = Timing([series()], "eager", gated=True, samples=[SAMPLE])
    return replace(taken, **given)  # type: ignore[arg-type]


def graded(taken: Timing, job: Job = JOB, rung: str = "R2") -> trust.Trust:
    return trust.of_timing(taken, job, Isolation(rung), 15.0)


def test_pairs_are_taken_until_there_are_enough_and_the_interval_is_narrow() -> None:
    plan = PLANS["full"]
    assert not enough(series(99), plan, taken_s=1.0)
    assert enough(series(100), plan, taken_s=1.0)
    assert not enough(series(100), plan, taken_s=0.4)
    assert not enough(series(100, half_width=0.1), plan, taken_s=1.0)
    assert enough(series(2000, half_width=0.1), plan, taken_s=1.0)
    assert enough(series(4, half_width=0.1), plan, taken_s=15.1)


def test_a_block_holds_no_more_than_fits_into_memory() -> None:
    truth = torch.zeros(4).double()
    expected = Expected((_output(truth, truth.half()),), (), True, ())
    assert _block_size(10, [torch.zeros(4)], expected) == 10
    assert _block_size(10, [torch.empty(1 << 29, device="meta")], expected) == 1


def test_a_measurement_with_every_mechanism_in_force_is_graded_a() -> None:
    assert graded(timing()).grade == "A"


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        (graded(timing(), rung="R0"), "isolation R0"),
        (graded(timing(gated=False)), "waits for the device"),
        (graded(timing(samples=[])), "NVML"),
        (graded(timing(series=[series(99)])), "99 pairs"),
        (graded(timing(), replace(JOB, effort="quick")), "quick"),
        (graded(timing(), replace(JOB, error_factor=32.0)), "32 times"),
    ],
)
def test_a_missing_mechanism_lowers_the_grade_and_is_named(missing: trust.Trust, said: str) -> None:
    assert missing.grade == "B"
    assert said in missing.words[0]


@pytest.mark.parametrize(
    ("against", "said"),
    [
        (graded(timing(hidden_ms=0.06, block=10)), "60 us more"),
        (graded(timing(samples=[replace(SAMPLE, foreign=(77,))])), "77"),
        (graded(timing(samples=[replace(SAMPLE, reasons=0x40)])), "throttled"),
    ],
)
def test_what_speaks_against_a_number_takes_its_trust(against: trust.Trust, said: str) -> None:
    assert against.grade == "C"
    assert said in against.words[0]


def test_what_a_clock_can_not_resolve_is_no_lie() -> None:
    assert graded(timing(hidden_ms=0.015, block=10)).grade == "A"
    assert graded(timing(hidden_ms=-1.0, block=10)).grade == "A"


def test_a_long_block_resolves_more() -> None:
    short = series()
    short.pairs = [(0.01, 0.01)] * 100
    assert graded(timing(series=[short], hidden_ms=0.005, block=100)).grade == "C"
    assert graded(timing(series=[short], hidden_ms=0.005, block=10)).grade == "A"


def test_a_power_limit_is_no_throttling() -> None:
    assert not replace(SAMPLE, reasons=0x4).throttled
    assert replace(SAMPLE, reasons=0x8).throttled


def test_gpus_have_short_names() -> None:
    assert gpu.short_name("NVIDIA H100 80GB HBM3") == "H100"
    assert gpu.short_name("NVIDIA H200") == "H200"
    assert gpu.short_name("Tesla T4") == "T4"
    assert gpu.short_name("NVIDIA GeForce RTX 4090") == "GeForce RTX 4090"
