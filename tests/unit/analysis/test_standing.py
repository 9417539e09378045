"""A candidate's time beside its limit, where the time goes, and what stays unknown."""

from __future__ import annotations

from dataclasses import replace

from analysis_facts import elementwise_kernel, evidence, facts

from samples import measured
from tilewright.analysis.limit import limit
from tilewright.analysis.runfacts import with_runs
from tilewright.analysis.standing import standings
from tilewright.analysis.unknown import not_known
from tilewright.hardware import load_gpu
from tilewright.records import CompileFailed, Evidence, KernelShare, Problem

H100 = load_gpu("H100")
PROBLEM = Problem("p", "class Model: pass")
FACTS = facts([elementwise_kernel(line=12)], torch_ops=(("aten.add.Tensor", 2),), torch_bytes=1e8)
MEASURED = measured(1.5, census=(KernelShare("scale_kernel", 1.0, 0.9, True), KernelShare("gemm", 1.0, 0.1, False)))


def test_an_estimate_is_split_over_kernels_launches_and_pytorch() -> None:
    (one,) = standings(evidence(FACTS), PROBLEM, H100)
    assert not one.measured and one.time_ms is not None and one.interval_ms is not None
    assert one.interval_ms[0] < one.time_ms < one.interval_ms[1]
    assert abs(sum(row.ms for row in one.spent) / one.time_ms - 1) < 0.02
    assert {row.what for row in one.spent} == {"scale_kernel", "PyTorch's operations", "launches of its kernels"}
    assert [row.ms for row in one.spent] == sorted((row.ms for row in one.spent), reverse=True)


def test_a_measured_candidate_shows_what_ran() -> None:
    (one,) = standings(with_runs(evidence(FACTS), MEASURED), PROBLEM, H100)
    assert one.measured and one.time_ms == 1.0
    assert [(row.what, row.ms, row.detail, row.line) for row in one.spent] == [
        ("scale_kernel", 0.9, "TileLang", 12),
        ("gemm", 0.1, "PyTorch or a library", None),
    ]
    assert one.achieved == limit(FACTS, H100).floor_ms


def test_gaps_between_kernels_are_a_row_of_their_own() -> None:
    small = facts([elementwise_kernel(2**16)], elements=2**16)
    busy = replace(MEASURED, measurement=replace(MEASURED.measurement, busy_ms=0.747))
    (one,) = standings(with_runs(evidence(small), busy), PROBLEM, H100)
    assert [row.what for row in one.spent] == ["scale_kernel", "gaps between kernels", "gemm"]
    assert abs(one.spent[1].ms - 0.25) < 0.001 and abs(sum(row.ms for row in one.spent) - 1.0) < 1e-9


def test_what_is_wrong_has_a_limit_and_no_time() -> None:
    (one,) = standings(evidence(FACTS), PROBLEM, H100, estimating=False)
    assert one.time_ms is None and one.achieved is None and one.floor_ms and not one.spent


def test_nothing_is_said_of_a_workload_without_facts() -> None:
    assert standings(Evidence(), PROBLEM, H100) == ()


def test_without_a_gpu_that_is_why_nothing_was_measured() -> None:
    said = not_known(evidence(FACTS), None, False, "no CUDA driver", False)
    assert any("no CUDA driver" in one for one in said) and any("tilewright check" in one for one in said)


def test_a_kernel_that_does_not_compile_leaves_its_facts_unknown() -> None:
    said = not_known(Evidence(), CompileFailed("no such name"), True, "", True)
    assert said[0].startswith("tiles, traffic") and any("only what is right is timed" in one for one in said)


def test_counters_that_could_not_be_read_say_why() -> None:
    runs = with_runs(evidence(FACTS), MEASURED)
    denied = replace(runs, runs=tuple(replace(run, no_counters="no right") for run in runs.runs))
    assert not_known(denied, MEASURED, True, "", True) == ("hardware counters: no right",)
    assert "--counters" in not_known(runs, MEASURED, True, "", False)[0]


def test_what_could_not_be_counted_is_named() -> None:
    unknown = facts([elementwise_kernel(global_bytes=None)], reference_flops=None)
    said = " ".join(not_known(evidence(unknown), MEASURED, True, "", True))
    assert "scale_kernel reads and writes" in said and "limit by arithmetic" in said
