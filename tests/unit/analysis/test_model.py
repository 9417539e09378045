"""The time model never rewards more work, and says which GPU and how sure."""

from __future__ import annotations

import importlib.resources
import math
import sys
from dataclasses import fields, replace

import pytest
from analysis_facts import elementwise_kernel, facts, gemm_facts, gemm_kernel, tensor

from tilewright.analysis.coefficients import Coefficients, coefficients
from tilewright.analysis.limit import compulsory_bytes, share_of_limit
from tilewright.analysis.limit import limit as floor_ms
from tilewright.analysis.model import estimate, expected_time
from tilewright.hardware import all_gpus, load_gpu
from tilewright.records import Evidence, Facts, KernelFacts, Problem, Workload

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

H100 = load_gpu("H100")
KERNELS = [
    elementwise_kernel(),
    elementwise_kernel(tile=256),
    elementwise_kernel(grid=(16,), serial_depth=4096.0, coalescing=0.25),
    elementwise_kernel(atomics=1e6, spill_bytes=64, shared_bytes=8192),
    gemm_kernel(),
    gemm_kernel(1024, tile=32, stages=0),
]


def ms(kernel: KernelFacts, **more: object) -> float:
    one = gemm_facts(kernel) if kernel.matmul_flops else facts([kernel])
    return expected_time(replace(one, **more), H100).total_ms  # type: ignore[arg-type]


@pytest.mark.parametrize("kernel", KERNELS, ids=range(len(KERNELS)))
@pytest.mark.parametrize("share", [0.9, 0.5, 0.1, 0.01])
def test_less_work_is_never_slower(kernel: KernelFacts, share: float) -> None:
    before = ms(kernel)
    assert ms(replace(kernel, global_bytes=(kernel.global_bytes or 0) * share)) <= before
    assert ms(replace(kernel, serial_depth=(kernel.serial_depth or 0) * share)) <= before
    assert (
        ms(replace(kernel, flops=(kernel.flops or 0) * share, matmul_flops=(kernel.matmul_flops or 0) * share))
        <= before
    )
    assert ms(replace(kernel, atomics=(kernel.atomics or 0) * share)) <= before
    assert ms(replace(kernel, spill_bytes=int((kernel.spill_bytes or 0) * share))) <= before
    assert ms(replace(kernel, coalescing=1.0)) <= before
    assert ms(replace(kernel, launches=2)) > before


@pytest.mark.parametrize("kernel", KERNELS, ids=range(len(KERNELS)))
def test_a_better_gpu_is_never_slower(kernel: KernelFacts) -> None:
    one = gemm_facts(kernel) if kernel.matmul_flops else facts([kernel])
    better = replace(H100, memory_bytes_per_s=2 * H100.memory_bytes_per_s, measured_copy_bytes_per_s=None)
    better = replace(better, fp32_flops=2 * H100.fp32_flops, tensor_flops=2 * H100.tensor_flops)
    assert expected_time(one, better).total_ms <= expected_time(one, H100).total_ms


@pytest.mark.parametrize("gpu", all_gpus(), ids=lambda gpu: gpu.name)
def test_every_listed_gpu_gives_a_finite_time_above_zero(gpu: object) -> None:
    for kernel in KERNELS:
        unknown = KernelFacts("k", 1, (4,), 128)
        for one in (gemm_facts(kernel), facts([unknown]), facts([])):
            total = expected_time(one, gpu).total_ms  # type: ignore[arg-type]
            assert math.isfinite(total) and total >= 0


def test_parts_sum_to_the_whole() -> None:
    one = replace(facts([elementwise_kernel()]), torch_ops=(("aten.add.Tensor", 2),), kernels_built_in_forward=1)
    expected = expected_time(one, H100)
    assert math.isclose(sum(part for _, part in expected.parts), expected.total_ms)
    assert expected.bound_by == "host"


def test_a_streaming_kernel_takes_about_its_bytes_over_the_bandwidth() -> None:
    # 64 Mi fp16 values in and out: 268 MB at 3.0 TB/s is 0.089 ms.
    elements = 64 * 1024 * 1024
    total = expected_time(facts([elementwise_kernel(elements)], elements=elements), H100).total_ms
    assert 0.089 < total < 0.12


def test_a_large_product_in_good_tiles_is_within_twice_its_measured_time() -> None:
    # A 4096^3 bf16 product on an H100 takes 0.18 to 0.20 ms with tuned tiles of 128 x 256.
    bytes_of_128_x_256 = 32 * 16 * (128 + 256) * 4096 * 2.0 + 2 * 4096**2
    kernel = gemm_kernel(grid=(16, 32), global_bytes=bytes_of_128_x_256)
    assert 0.15 < ms(kernel) < 0.4


def test_the_scratch_of_a_reduction_is_not_taken_for_tiles() -> None:
    narrow = elementwise_kernel(grid=(16,), threads=128, shared_bytes=512, serial_depth=8192.0)
    wide = elementwise_kernel(grid=(16,), threads=512, shared_bytes=2048, serial_depth=8192.0)
    assert ms(wide) <= ms(narrow)


def test_known_faults_cost_time() -> None:
    assert ms(gemm_kernel(stages=0)) > 1.2 * ms(gemm_kernel())
    assert ms(gemm_kernel(tile=32)) > 1.5 * ms(gemm_kernel())
    assert ms(gemm_kernel(uses_tensor_cores=False)) > 3 * ms(gemm_kernel())
    assert ms(elementwise_kernel(coalescing=0.0625)) > 1.5 * ms(elementwise_kernel())
    assert ms(elementwise_kernel(grid=(8,), serial_depth=8192.0)) > 5 * ms(elementwise_kernel())
    one_address = facts([elementwise_kernel(atomics=1e6)], outputs=(tensor(1),))
    assert expected_time(one_address, H100).total_ms > 2.0


def test_an_estimate_is_an_interval_and_uncalibrated() -> None:
    problem = Problem("p", "", workloads=(Workload("small", 0.25), Workload("large", 0.75)))
    small: Facts = replace(facts([elementwise_kernel(4096)], elements=4096), workload="small")
    large: Facts = replace(facts([elementwise_kernel()]), workload="large")
    result = estimate(Evidence(facts=(small, large)), problem, H100)
    assert [(row.workload, row.weight) for row in result.estimates] == [("small", 0.25), ("large", 0.75)]
    for row in result.estimates:
        assert row.low_ms < row.candidate_ms < row.high_ms and row.floor_ms > 0
    assert result.gpu == "H100" and result.model and not result.calibrated


def test_every_coefficient_says_where_it_is_from() -> None:
    text = importlib.resources.files("tilewright").joinpath("data/time_model.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    assert set(table) == {f.name for f in fields(Coefficients)}
    assert all(("source" in row) != ("assumption" in row) and row["unit"] for row in table.values())
    assert coefficients().launch_us > 0


def test_the_floor_is_the_largest_of_bytes_operations_and_a_launch() -> None:
    stream = facts([])
    assert floor_ms(stream, H100).bound_by == "memory"
    assert math.isclose(floor_ms(stream, H100).floor_ms, compulsory_bytes(stream) / 3.0e12 * 1e3)
    assert math.isclose(floor_ms(stream, H100, "peak").floor_ms, compulsory_bytes(stream) / 3.35e12 * 1e3)
    product = gemm_facts(gemm_kernel())
    assert floor_ms(product, H100).bound_by == "compute"
    assert math.isclose(floor_ms(product, H100, "peak").floor_ms, 2 * 4096**3 / 989.4e12 * 1e3)
    assert floor_ms(facts([], elements=16), H100).bound_by == "launch"
    assert share_of_limit(floor_ms(product, H100), 10 * floor_ms(product, H100).floor_ms) == pytest.approx(0.1)


def test_the_floor_of_an_fp32_product_is_that_of_tf32() -> None:
    square = tensor(4096, 4096, dtype="float32")
    one = gemm_facts(gemm_kernel(), inputs=(square, square), outputs=(square,))
    assert floor_ms(one, H100, "peak").compute_ms == pytest.approx(2 * 4096**3 / 494.7e12 * 1e3)


def test_a_floor_without_counted_operations_says_so() -> None:
    limit = floor_ms(facts([], reference_flops=None), H100)
    assert limit.compute_ms is None and limit.flops is None and limit.bound_by == "memory"
