"""What a measurement shows of one forward, and that rules can read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from analysis_facts import elementwise_kernel, evidence, facts

from samples import measured, timing
from tilewright import jsonform
from tilewright.analysis.analyzer import PerformanceAnalyzer
from tilewright.analysis.runfacts import runs_of, with_counters, with_runs
from tilewright.records import (
    Candidate,
    Comparison,
    Crashed,
    Evidence,
    Finding,
    KernelRun,
    KernelShare,
    Measured,
    Problem,
)

FACTS = facts([elementwise_kernel()])
CENSUS = (KernelShare("scale_kernel", 1.0, 0.75, True), KernelShare("void at::copy<float>(int)", 2.0, 0.25, False))
LATENCY = Comparison("eager", "latency", replace(timing(1.2), candidate_ms=1.4))
MEASURED = measured(1.5, census=CENSUS, comparisons=(LATENCY,))


class HostBound:
    name = "host-bound"

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        hosts = [run.host_ms for run in evidence.runs if run.host_ms]
        return [Finding(self.name, "host", "low", f"{ms:.1f} ms", "", saves=0.1) for ms in hosts]


def test_shares_become_times_on_the_device() -> None:
    (run,) = runs_of(MEASURED.measurement, evidence(FACTS))
    assert [(kernel.name, kernel.device_ms) for kernel in run.kernels] == [
        ("scale_kernel", 0.75),
        ("void at::copy<float>(int)", 0.25),
    ]
    assert (run.device_ms, run.latency_ms) == (1.0, 1.4)
    assert run.host_ms is not None and abs(run.host_ms - 0.4) < 1e-9
    assert run.bytes_per_s == 2 * 2 * 4096 * 4096 * 1e3 and run.flops_per_s == 4096 * 4096 * 1e3


def test_rates_are_not_known_without_facts() -> None:
    (run,) = runs_of(MEASURED.measurement, Evidence())
    assert run.bytes_per_s is None and run.flops_per_s is None


def test_the_census_belongs_to_the_first_workload() -> None:
    several = replace(MEASURED.measurement, timings=(timing(1.5), replace(timing(1.5), workload="large")))
    first, second = runs_of(several, Evidence())
    assert first.kernels and not second.kernels and second.latency_ms is None


def test_rules_read_what_the_run_showed() -> None:
    analyzer = PerformanceAnalyzer(rules=[HostBound()])
    candidate, problem = Candidate("class ModelNew: pass"), Problem("p", "")
    assert analyzer.analyze(candidate, problem, Evidence(), Crashed("x")) == []
    assert [f.message for f in analyzer.analyze(candidate, problem, Evidence(), MEASURED)] == ["0.4 ms"]


def test_what_is_no_kernels_time_is_a_gap_but_for_what_caches_and_events_explain() -> None:
    small = facts([elementwise_kernel(2**16)], elements=2**16)  # 256 KB: 0.1 us from memory
    five = tuple(KernelShare(f"k{n}_kernel", 1.0, 0.2, True) for n in range(5))
    by_events = measured(1.5, timings=(replace(timing(1.5), candidate_ms=0.030),), census=five, busy_ms=0.020)
    record = Comparison("eager", "events", timing(1.5))
    (run,) = runs_of(by_events.measurement, evidence(small))
    (traced,) = runs_of(replace(by_events.measurement, comparisons=(record,)), evidence(small))
    assert run.gaps_ms is not None and 0.0059 < run.gaps_ms < 0.0061
    assert traced.gaps_ms is not None and 0.0098 < traced.gaps_ms < 0.010
    assert abs(sum(kernel.device_ms for kernel in run.kernels) + run.gaps_ms - 0.030) < 1e-9
    (large,) = runs_of(by_events.measurement, evidence(FACTS))  # 64 MB, of which the profiled call found 50 in L2
    assert large.gaps_ms == 0


def test_one_kernel_leaves_no_gap_and_without_facts_or_a_profile_none_is_known() -> None:
    one = (KernelShare("scale_kernel", 1.0, 1.0, True),)
    (run,) = runs_of(measured(1.5, census=one, busy_ms=0.4).measurement, evidence(FACTS))
    assert (run.gaps_ms, run.kernels[0].device_ms) == (0.0, 1.0)
    (unknown,) = runs_of(measured(1.5, census=CENSUS, busy_ms=0.4).measurement, Evidence())
    (unprofiled,) = runs_of(MEASURED.measurement, evidence(FACTS))
    assert unknown.gaps_ms is None and unprofiled.gaps_ms is None


def test_a_measurement_from_before_the_gaps_were_known_loads() -> None:
    plain = jsonform.to_plain(MEASURED)
    del plain["measurement"]["busy_ms"]
    assert jsonform.from_plain(Measured, plain) == MEASURED


def test_runs_that_are_there_already_stay() -> None:
    before = with_runs(evidence(FACTS), MEASURED)
    counted = replace(before, runs=with_counters(before.runs, (), "denied"))
    assert with_runs(counted, MEASURED) == counted and counted.runs[0].no_counters == "denied"


def test_counters_find_their_kernel_also_where_arguments_are_spelt_otherwise() -> None:
    runs = runs_of(MEASURED.measurement, Evidence())
    counted = (
        KernelRun("scale_kernel", 1.0, 9.0, False, (("l2_hit", 50.0),)),
        KernelRun("void at::copy<float>(const int)", 2.0, 9.0, False, (("l2_hit", 10.0),)),
    )
    (run,) = with_counters(runs, counted, "")
    assert [kernel.counters for kernel in run.kernels] == [(("l2_hit", 50.0),), (("l2_hit", 10.0),)]
    assert [kernel.device_ms for kernel in run.kernels] == [0.75, 0.25]


def test_without_a_census_the_counted_kernels_share_the_time() -> None:
    runs = runs_of(measured(1.5).measurement, Evidence())
    counted = (KernelRun("a", 1.0, 3.0, False), KernelRun("b", 1.0, 1.0, False))
    (run,) = with_counters(runs, counted, "")
    assert [kernel.device_ms for kernel in run.kernels] == [0.75, 0.25]
