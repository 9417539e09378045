"""The fit finds the order of variants whose times follow a rule of their own, and says how sure it is of others."""

from __future__ import annotations

import json
import math
import random
import statistics
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from analysis_facts import elementwise_kernel, evidence, facts, gemm_facts, gemm_kernel
from click.testing import CliRunner

from benchmarks.landscape import draw
from samples import PROBLEM, attempt, measured, run, timing
from tilewright import jsonform
from tilewright.analysis import calibration, model
from tilewright.analysis.calibration import HeldOut, Sample, calibrate, fit, judge, spearman
from tilewright.analysis.coefficients import Calibration, calibration_for, coefficients, file_name
from tilewright.analysis.model import estimate, expected_time
from tilewright.cli import _tilewright
from tilewright.errors import ConfigError, UsageError
from tilewright.hardware import load_gpu
from tilewright.records import Facts, KernelFacts
from tilewright.store import Store

GPU = load_gpu("H200")
NOISE = 0.02
VARIANTS = 10


def hidden_ms(kernel: KernelFacts, blocks_at_once: int) -> float:
    """A rule that isn't the model's: memory, arithmetic and waiting add up as squares, and wide blocks pay."""
    waves = math.ceil(math.prod(kernel.grid) / blocks_at_once)
    wait = waves * (2e-3 + (kernel.serial_depth or 0.0) * 60e-6)
    memory = (kernel.global_bytes or 0.0) / 3.5e9
    arithmetic = (kernel.matmul_flops or 0.0) / 4e11
    return 2e-3 + math.sqrt(wait**2 + memory**2 + arithmetic**2) * (1 + 64 / kernel.block_threads)


def landscape(kernels: int = 5, seed: int = 1) -> Iterator[Sample]:
    """Variants of streaming kernels, of reductions in a few blocks and of products, each kernel off by a factor."""
    chooser = random.Random(seed)
    for number in range(kernels):
        off = math.exp(chooser.gauss(0, 0.4))
        elements = 2 ** chooser.randint(20, 26)
        for variant in range(VARIANTS):
            threads = chooser.choice((64, 128, 256, 512, 1024))
            if number % 3 == 0:
                kernel = elementwise_kernel(elements, chooser.choice((512, 2048, 8192)), threads)
                one = facts([kernel], elements=elements)
            elif number % 3 == 1:
                rows = 2 ** chooser.randint(5, 9)
                depth = elements / rows / threads
                kernel = elementwise_kernel(elements, elements // rows, threads, serial_depth=depth, registers=64)
                one = facts([kernel], elements=elements)
            else:
                n, tile = 2 ** (10 + number // 3), chooser.choice((32, 64, 128))
                stages, tile_k = chooser.choice((0, 2, 3)), chooser.choice((32, 64))
                kernel = gemm_kernel(n, tile, tile_k, stages, block_threads=threads)
                one = gemm_facts(kernel, n)
            ms = off * hidden_ms(kernel, GPU.sms * model.blocks_per_sm(kernel, GPU))
            yield Sample(f"1_{number}", f"{number}/{variant}", one, "fp16", ms * math.exp(chooser.gauss(0, NOISE)))


SAMPLES = list(landscape())


@pytest.fixture(scope="module")
def fitted() -> tuple[Calibration, list[HeldOut]]:
    return calibrate(SAMPLES, GPU)


def test_variants_of_kernels_that_the_fit_never_saw_are_put_in_order(
    fitted: tuple[Calibration, list[HeldOut]],
) -> None:
    held_out = fitted[1]
    assert sorted(kernel.kernel for kernel in held_out) == sorted({s.kernel for s in SAMPLES})
    before = statistics.median(kernel.spearman or 0.0 for kernel in judge(SAMPLES, GPU))
    after = statistics.median(kernel.spearman or 0.0 for kernel in held_out)
    assert after > 0.8 and after >= before
    assert sum(kernel.kept for kernel in held_out) >= len(held_out) - 1


def test_the_fit_ends_closer_to_the_measured_times(fitted: tuple[Calibration, list[HeldOut]]) -> None:
    def off(kernels: list[HeldOut]) -> float:
        return statistics.median(abs(ratio) for kernel in kernels for ratio in kernel.log_ratios)

    assert off(judge(SAMPLES, GPU, fitted[0].coefficients)) < off(judge(SAMPLES, GPU))


def test_times_that_are_the_models_own_leave_the_coefficients_where_they_are() -> None:
    own = [replace(s, ms=expected_time(s.facts, GPU, s.precision).total_ms) for s in SAMPLES]
    found, start = fit(own, GPU), coefficients()
    assert found.iteration_ns == pytest.approx(start.iteration_ns, rel=0.01)
    assert found.block_warps_power == pytest.approx(0.0, abs=0.01)


def test_less_work_is_never_slower_by_fitted_coefficients(fitted: tuple[Calibration, list[HeldOut]]) -> None:
    c = fitted[0].coefficients
    for sample in SAMPLES[::5]:
        (kernel,) = sample.facts.kernels
        whole = expected_time(sample.facts, GPU, "fp16", c).total_ms
        for change in (
            {"global_bytes": (kernel.global_bytes or 0) / 2},
            {"flops": (kernel.flops or 0) / 2, "matmul_flops": (kernel.matmul_flops or 0) / 2},
            {"serial_depth": (kernel.serial_depth or 0) / 2},
        ):
            less = replace(sample.facts, kernels=(replace(kernel, **change),))
            assert expected_time(less, GPU, "fp16", c).total_ms <= whole * (1 + 1e-9)


def test_a_kernel_at_two_sizes_is_left_out_as_one() -> None:
    small = Sample("1_23", "a", facts([]), "fp16", 1.0)
    assert small.family == replace(small, kernel="1_23_large").family != replace(small, kernel="1_2").family


def test_too_few_measurements_are_refused() -> None:
    with pytest.raises(UsageError, match="too few"):
        calibrate(SAMPLES[: 2 * VARIANTS], GPU)


def test_ranks_are_compared_with_equal_ones_sharing_theirs() -> None:
    assert spearman([1.0, 2.0, 3.0], [10.0, 20.0, 30.0]) == pytest.approx(1.0)
    assert spearman([1.0, 2.0, 3.0], [3.0, 2.0, 1.0]) == pytest.approx(-1.0)
    assert spearman([1.0, 2.0, 3.0, 4.0], [1.0, 1.0, 2.0, 2.0]) == pytest.approx(0.894, abs=1e-3)
    assert spearman([1.0, 2.0, 3.0], [5.0, 5.0, 5.0]) == 0.0
    assert spearman([1.0, 2.0], [1.0, 2.0]) is None


def test_whether_the_best_fifth_holds_a_good_one_is_judged_by_times() -> None:
    pairs = [(1.0, 9.0), (1.04, 1.0), *((2.0 + i, 3.0 + i) for i in range(8))]
    assert calibration._judged("k", pairs).kept
    assert not calibration._judged("k", [(1.0, 9.0), (1.1, 1.0), *pairs[2:]]).kept


def test_an_estimate_rests_on_the_users_calibration_and_says_so(
    fitted: tuple[Calibration, list[HeldOut]], tmp_path: Path
) -> None:
    (tmp_path / file_name("H200")).write_text(jsonform.dumps(fitted[0]))
    seen = evidence(SAMPLES[0].facts)
    result = estimate(seen, PROBLEM, GPU, tmp_path)
    assert result.calibrated and result.gpu == "H200" and f"{len(SAMPLES)} measurements" in result.model
    (row,) = result.estimates
    assert row.low_ms < row.candidate_ms < row.high_ms
    assert not estimate(seen, PROBLEM, load_gpu("T4"), tmp_path).calibrated


def test_an_estimate_far_from_what_was_measured_is_less_sure(
    fitted: tuple[Calibration, list[HeldOut]], tmp_path: Path
) -> None:
    (tmp_path / file_name("H200")).write_text(jsonform.dumps(fitted[0]))

    def width(one: Facts) -> float:
        (row,) = estimate(evidence(one), PROBLEM, GPU, tmp_path).estimates
        return row.high_ms / row.low_ms

    near = SAMPLES[0].facts
    far = replace(near, kernels=(replace(near.kernels[0], launches=50, grid=(2**30,)),))
    assert width(far) > 1.5 * width(near)


def test_a_broken_calibration_is_named(tmp_path: Path) -> None:
    (tmp_path / file_name("H200")).write_text("{}")
    with pytest.raises(ConfigError, match="tilewright calibrate"):
        calibration_for(GPU, tmp_path)


def test_calibrate_reads_a_landscape_and_writes_what_estimates_use(tmp_path: Path) -> None:
    rows = [
        {"kernel": s.kernel, "candidate": s.candidate, "precision": "fp16", "facts": [jsonform.to_plain(s.facts)],
         "outcome": "measured", "candidate_ms": s.ms, "gpu": "H200", "versions": {"tilelang": "0.1.15"}}
        for s in landscape(3)
    ]  # fmt: skip
    rows.append({**rows[0], "outcome": "wrong", "candidate_ms": None})
    path = tmp_path / "landscape.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    done = calibrate_command("--from", str(path), "--results", str(tmp_path / "out"), "--json")
    answer = json.loads(done)
    assert answer["samples"] == 3 * VARIANTS and answer["kernels"] == 3 and len(answer["held_out"]) == 3
    found = calibration_for(GPU, tmp_path / "out")
    assert found and found.gpu == "H200" and found.versions == (("tilelang", "0.1.15"),)


def test_calibrate_reads_the_attempts_of_runs(tmp_path: Path) -> None:
    store = Store(tmp_path / "tilewright.db")
    for number in range(3):
        store.begin(replace(run(), id=f"r{number}", kernel_path=f"level1/1_{number}.py"))
    for index, sample in enumerate(landscape(3)):
        evaluation = measured(1.0, gpu="H200", timings=(replace(timing(1.0), candidate_ms=sample.ms),))
        one = replace(attempt(index, evaluation), evidence=evidence(sample.facts))
        store.append("r" + sample.kernel.removeprefix("1_"), one)
    store.close()
    text = calibrate_command("--results", str(tmp_path))
    assert "median kernel" in text and all(len(row) <= 80 for row in text.splitlines()[:-1])
    found = calibration_for(GPU, tmp_path)
    assert found and found.samples == 3 * VARIANTS


def test_settings_of_a_landscape_are_different_feasible_and_the_same_each_time() -> None:
    drawn = draw("1_1", 12, GPU)
    assert len({setting.candidate.id for setting in drawn}) == 12 and draw("1_1", 12, GPU) == drawn
    assert len(draw("1_36", 12, GPU)) == 5  # it has one knob with five values


def calibrate_command(*arguments: str) -> str:
    done = CliRunner().invoke(_tilewright, ["calibrate", *arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout
