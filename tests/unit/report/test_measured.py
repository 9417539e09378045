"""What is shown of a measurement: every clock and baseline by its name, and why it is trusted or not."""

from __future__ import annotations

import ast
from dataclasses import replace

import pytest

from samples import attempt, measured, run, timing
from tilewright.header import read_header, read_stats, with_result
from tilewright.records import Comparison, KernelShare, Measurement
from tilewright.report import words
from tilewright.report.measured import details, fields
from tilewright.report.output import measured_lines
from tilewright.report.terminal import result_line

COMPARISONS = (
    Comparison("eager", "latency", timing(1.2)),
    Comparison("compile", "device", timing(1.1)),
    Comparison("seed", "device", timing(2.1, 0.04)),
)
CENSUS = (KernelShare("main_kernel", 1, 0.9, True), KernelShare("gemm", 1, 0.1, False))


def full() -> Measurement:
    return measured(
        1.5, comparisons=COMPARISONS, census=CENSUS, seeds=(7,), isolation="R1", trust_notes=("30 pairs",)
    ).measurement


def test_the_headline_names_baseline_clock_gpu_and_grade() -> None:
    text = words.outcome(measured(1.5, baseline="compile"))
    assert text == "1.500x [1.490, 1.510] over torch.compile (H100, device clock, trust B)"


def test_several_baselines_become_a_table() -> None:
    lines = details(full())
    assert lines[0] == "default: 1 ms against 1.5 ms PyTorch eager in 1 pairs"
    assert [line.split("  ")[0] for line in lines[1:5]] == ["over", "PyTorch eager", "torch.compile", "the seed"]
    assert lines[2].split() == ["PyTorch", "eager", "1.500x", "[1.490,", "1.510]", "1.200x", "[1.190,", "1.210]"]
    assert lines[3].rstrip().endswith("-")
    assert "own kernels 90% of the device's time" in lines[5] and "isolation R1" in lines[5]
    assert lines[6] == "trust B: 30 pairs"


def test_a_single_baseline_needs_no_table() -> None:
    lines = details(measured(1.5, comparisons=COMPARISONS[:1]).measurement)
    assert lines[1] == "latency clock: 1.200x [1.190, 1.210]"


def test_programs_get_every_clock_and_baseline() -> None:
    shown = fields(full())
    assert shown["baselines"] == {"eager": 1.5, "compile": 1.1, "seed": 2.1}
    assert shown["clocks"]["latency"] == {"eager": {"ratio": 1.2, "interval": [1.19, 1.21]}}
    assert round(shown["latency_ratio"], 6) == 1.2 and shown["own_share"] == 0.9 and shown["seeds"] == [7]


def test_the_reasons_for_a_grade_stay_inside_the_docstring() -> None:
    doubtful = measured(1.5, trust="C", trust_notes=('kernel """x', "ends in \\")).measurement
    lines = measured_lines(doubtful, run().problem, "id", "x = 1\n")
    text = with_result("x = 1\n", "P", "", lines)
    assert "trust C: kernel" in (ast.get_docstring(ast.parse(text)) or "")
    assert read_header(text).speedup_ratio == 1.5


@pytest.mark.parametrize("text", ["# k\nx = 1\n", '"""P."""\nx = 1\n', '"""Problem Name: Q"""\n\nx = 1\n'])
def test_a_header_knows_whether_the_kernel_below_it_is_the_measured_one(text: str) -> None:
    """Whatever had to be added to its docstring."""
    written = with_result(text, "P", "large", measured_lines(measured(1.5).measurement, run().problem, "id", text))
    assert not read_header(written).changed
    again = measured_lines(measured(1.4).measurement, run().problem, "id", written)
    assert not read_header(with_result(written, "P", "large", again)).changed
    assert read_header(written.replace("x = 1", "x = 2")).changed


def test_a_direct_pairing_with_the_seed_is_shown() -> None:
    better = run(attempt(0, measured(0.7), 0, "seed"), attempt(1, measured(1.5, comparisons=COMPARISONS)))
    assert "2.100x over the seed [2.060, 2.140]" in result_line(better, None)


def test_a_kernel_file_carries_the_ratio_over_eager_whatever_the_headline() -> None:
    comparisons = (Comparison("eager", "device", timing(1.7)),)
    headline = measured(1.2, baseline="compile", comparisons=comparisons).measurement
    text = with_result("x = 1\n", "P", "", measured_lines(headline, run().problem, "id", "x = 1\n"))
    assert read_header(text).speedup_ratio == 1.7
    assert read_stats(text)["baselines"] == {"compile": 1.2, "eager": 1.7}
    only = measured(1.2, baseline="compile").measurement
    alone = with_result("x = 1\n", "P", "", measured_lines(only, run().problem, "id", "x = 1\n"))
    assert read_header(alone).speedup_ratio is None


def test_the_line_of_a_result_says_why_the_run_stopped_or_that_it_waits() -> None:
    made = run(attempt(0, measured(0.7), 0, "seed"), attempt(1, measured(1.5)))
    ended = replace(made, stop_reason="plateau", stop_detail="2 turns without a gain")
    assert result_line(ended, "k.py").endswith(" -> k.py; stopped: plateau (2 turns without a gain)")
    assert result_line(replace(made, stop_reason="awaiting_gpu"), None).endswith("; waits: awaiting_gpu")


def test_every_result_says_how_near_it_is_to_the_limit() -> None:
    assert words.of_limit(0.873, estimated=False) == "87% of the limit"
    assert words.of_limit(0.0041, estimated=True) == "est. 0.41% of the limit"
    assert words.of_limit(1.07, estimated=False) == "at the limit"
    assert words.of_limit(1.8, estimated=False) == "beyond the limit"
    better = attempt(1, measured(1.5))
    assert words.attempted(better, share_reached=0.5).endswith("; 50% of the limit")
    assert result_line(run(attempt(0, measured(0.7), 0, "seed"), better), "k.py", 0.5).endswith(
        "; 50% of the limit -> k.py"
    )
