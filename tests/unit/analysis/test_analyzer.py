"""The analyzer sorts findings by what they could save, and promises no more than the hardware leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from analysis_facts import elementwise_kernel, evidence, facts, gemm_facts, gemm_kernel

from samples import measured
from tilewright.analysis.analyzer import PerformanceAnalyzer
from tilewright.analysis.limit import limit as floor_ms
from tilewright.hardware import load_gpu
from tilewright.records import Candidate, CompileFailed, Evidence, Finding, Measured, Problem

PROBLEM = Problem("p", "class Model: pass")
CANDIDATE = Candidate("class ModelNew: pass")
SLOW = facts([elementwise_kernel(coalescing=0.0625, grid=(8,), serial_depth=4096.0)])


class Says:
    def __init__(self, name: str, saves: float) -> None:
        self.name = name
        self.saves = saves

    def find(self, candidate: Candidate, problem: Problem, evidence: Evidence) -> Sequence[Finding]:
        return [Finding(self.name, "memory", "low", "m", "a", saves=self.saves)]


def timed(ms: float) -> Measured:
    evaluation = measured(1.0)
    timing = replace(evaluation.measurement.timings[0], candidate_ms=ms)
    return Measured(replace(evaluation.measurement, timings=(timing,)))


def test_findings_come_by_what_they_could_save() -> None:
    found = PerformanceAnalyzer().analyze(CANDIDATE, PROBLEM, evidence(SLOW))
    assert len(found) >= 2
    assert [f.saves for f in found] == sorted((f.saves for f in found), reverse=True)


def test_only_the_rules_that_were_given_are_asked() -> None:
    analyzer = PerformanceAnalyzer(rules=[Says("a", 0.1), Says("b", 0.5)])
    assert [f.rule for f in analyzer.analyze(CANDIDATE, PROBLEM, Evidence())] == ["b", "a"]


def test_a_measured_kernel_close_to_its_floor_has_little_to_gain() -> None:
    floor = floor_ms(SLOW, load_gpu("H100")).floor_ms
    analyzer = PerformanceAnalyzer(rules=[Says("a", 0.9), Says("b", 0.01)])
    found = analyzer.analyze(CANDIDATE, PROBLEM, evidence(SLOW), timed(floor / 0.95))
    assert [(f.rule, round(f.saves, 3), f.severity) for f in found] == [("a", 0.05, "low"), ("b", 0.01, "low")]


def test_a_time_below_the_floor_caps_nothing() -> None:
    floor = floor_ms(SLOW, load_gpu("H100")).floor_ms
    found = PerformanceAnalyzer(rules=[Says("a", 0.9)]).analyze(CANDIDATE, PROBLEM, evidence(SLOW), timed(floor / 2))
    assert found[0].saves == 0.9


def test_a_candidate_that_did_not_compile_is_still_analyzed_from_its_source() -> None:
    source = (
        "import tilelang.language as T\n"
        "def f(n):\n"
        "    @T.prim_func\n"
        "    def k(X: T.Tensor((n,), 'float16'), Y: T.Tensor((n,), 'float16')):\n"
        "        with T.Kernel(n, threads=32) as b:\n"
        "            Y[b] = X[b]\n"
        "    return k\n"
    )
    found = PerformanceAnalyzer().analyze(Candidate(source), PROBLEM, Evidence(), CompileFailed("no"))
    assert [f.rule for f in found] == ["few-threads"] and found[0].line == 5


def test_the_planted_fault_is_among_the_first_three() -> None:
    planted = {
        "no-pipelining": gemm_facts(gemm_kernel(stages=0)),
        "small-matmul-tile": gemm_facts(gemm_kernel(tile=32, block_threads=128, blocks_per_sm=8)),
        "uncoalesced-access": facts([elementwise_kernel(coalescing=0.0625)]),
        "little-work-per-thread": facts([elementwise_kernel(tile=256)]),
        "kernel-built-in-forward": replace(facts([elementwise_kernel()]), kernels_built_in_forward=1),
    }
    for rule, one in planted.items():
        found = PerformanceAnalyzer().analyze(CANDIDATE, PROBLEM, evidence(one))
        assert rule in [f.rule for f in found[:3]], (rule, found)


def test_a_good_kernel_has_no_finding_that_matters() -> None:
    for one in (facts([elementwise_kernel()]), gemm_facts(gemm_kernel())):
        assert [f for f in PerformanceAnalyzer().analyze(CANDIDATE, PROBLEM, evidence(one)) if f.saves > 0.1] == []
