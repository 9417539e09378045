"""The limit of a problem, from probed rates where there are any, and what a candidate reached of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from analysis_facts import elementwise_kernel, evidence, facts, gemm_facts, gemm_kernel, tensor

from samples import attempt, estimated, measured, timing
from tilewright.analysis.limit import (
    as_written,
    compulsory_bytes,
    fields,
    fields_of,
    limit,
    reached,
    share_reached,
)
from tilewright.hardware import Ceilings, Gpu, load_gpu, with_ceilings
from tilewright.records import Evidence

H100 = load_gpu("H100")
PROBED = with_ceilings(
    H100, Ceilings(2.9e12, fp16_flops=700e12, bf16_flops=720e12, tf32_flops=380e12, fp32_flops=51e12, launch_s=2.2e-6)
)
STREAM = facts([elementwise_kernel()])


def square_product(dtype: str, gpu: Gpu) -> float:
    square = tensor(4096, 4096, dtype=dtype)
    return limit(gemm_facts(gemm_kernel(), inputs=(square, square), outputs=(square,)), gpu).compute_ms or 0.0


def test_what_the_device_at_hand_reached_goes_before_the_table() -> None:
    here, table = limit(STREAM, PROBED), limit(STREAM, H100)
    assert here.memory_ms == pytest.approx(compulsory_bytes(STREAM) / 2.9e12 * 1e3) and here.probed
    assert here.launch_ms == pytest.approx(2.2e-3) and table.launch_ms == pytest.approx(0.58e-3)
    assert all("measured here" in note for note in here.notes) and not table.probed
    assert table.notes[-1] == "launch: 0.58 us, measured on an H200, assumed on H100"
    assert not limit(STREAM, PROBED, "peak").probed


@pytest.mark.parametrize(("dtype", "rate"), [("float16", 720e12), ("bfloat16", 720e12), ("float32", 380e12)])
def test_operations_are_held_against_the_unit_that_can_do_them(dtype: str, rate: float) -> None:
    assert square_product(dtype, PROBED) == pytest.approx(2 * 4096**3 / rate * 1e3)


def test_fp32_products_without_tf32_run_on_the_ordinary_pipelines() -> None:
    turing = with_ceilings(load_gpu("T4"), Ceilings(240e9, fp16_flops=30e12, fp32_flops=6e12, launch_s=3e-6))
    assert square_product("float32", turing) == square_product("bfloat16", turing)
    assert square_product("float32", turing) == pytest.approx(2 * 4096**3 / 6e12 * 1e3)


def test_where_each_rate_is_from_is_said() -> None:
    assert "measured on another H100" in limit(STREAM, H100).notes[0]
    assert "data sheet of L4" in limit(STREAM, load_gpu("L4")).notes[0]
    assert "assumed on L4" in limit(STREAM, load_gpu("L4")).notes[-1]
    assert "another process uses it" in limit(STREAM, replace(H100, not_probed="another process uses it")).notes[0]


def test_a_candidate_as_written_counts_every_launch_and_pytorchs_own_operations() -> None:
    twice = replace(elementwise_kernel(), launches=2)
    operations = (("aten.mul.Tensor", 1), ("aten.view.default", 3))
    written = as_written(facts([twice], torch_ops=operations, torch_bytes=100.0))
    assert written.launches == 3 and written.bytes == 2 * (twice.global_bytes or 0) + 100.0
    assert written.flops == 2 * (twice.flops or 0)
    assert as_written(facts([twice, elementwise_kernel(global_bytes=None)])).bytes is None


def test_a_measured_time_is_held_against_the_limit() -> None:
    floor = limit(STREAM, H100)
    (row,) = reached(evidence(STREAM), measured(1.5), H100)
    assert row.share == pytest.approx(floor.floor_ms / 1.0) and not row.estimated
    assert row.bytes_per_s == pytest.approx(compulsory_bytes(STREAM) / 1e-3)
    assert row.rate.startswith("memory: 3.00 TB/s")


def test_over_workloads_shares_are_averaged_as_speedups_are() -> None:
    two = (replace(timing(1.0), workload="a", candidate_ms=1.0), replace(timing(1.0), workload="b", candidate_ms=4.0))
    both = Evidence(facts=(replace(STREAM, workload="a"), replace(STREAM, workload="b")))
    share = share_reached(attempt(0, measured(1.0, timings=two), evidence=both), "H100")
    assert share == pytest.approx(limit(STREAM, H100).floor_ms / 2.0)


def test_what_is_not_known_at_all_workloads_has_no_share() -> None:
    two = (timing(1.0), replace(timing(1.0), workload="other"))
    assert share_reached(attempt(0, measured(1.0, timings=two), evidence=evidence(STREAM)), "H100") is None
    assert share_reached(attempt(0, measured(1.0)), "H100") is None
    assert share_reached(attempt(0, measured(1.0), evidence=evidence(STREAM)), "no such GPU") is None
    assert fields_of(attempt(0, None), "no such GPU")["limit_percent"] is None


def test_programs_are_told_what_is_an_estimate() -> None:
    told = fields(evidence(STREAM), estimated(0.1), H100)
    assert told["limit_is_estimate"] and told["limit_percent"] == pytest.approx(limit(STREAM, H100).floor_ms * 1000)
    assert told["floor"]["default"]["achieved"] == pytest.approx(told["limit_percent"] / 100)
    untimed = fields(evidence(STREAM), None, H100)
    assert untimed["limit_percent"] is None and untimed["floor"]["default"]["achieved"] is None
    assert untimed["floor"]["default"]["bound_by"] == "memory"
