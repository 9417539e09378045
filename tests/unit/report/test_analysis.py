"""An analysis on the screen and for programs."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

from samples import measured
from tilewright.records import (
    Analysis,
    CompileFailed,
    Evidence,
    Facts,
    Finding,
    KernelRun,
    Reason,
    RunFacts,
    Spent,
    Standing,
    Wrong,
)
from tilewright.records.outcomes import Mismatch
from tilewright.report.analysis import MOST_ROWS, WIDTH, fields, text
from tilewright.worker.timing.counters import METRICS

DOCUMENTED = (Path(__file__).resolve().parents[3] / "docs/json.md").read_text(encoding="utf-8")
GOLDEN = Path(__file__).with_name("analyses_golden.json")
FINDING = Finding(
    "uncoalesced-access",
    "memory",
    "critical",
    "kernel main uses 6% of the bytes in the sectors that it touches, " * 2,
    "Make the thread index run along the last dimension.",
    (("coalescing", 0.0625), ("buffer", "X")),
    7,
    0.81,
)
ESTIMATED = Standing(
    "default", False, 1.25, (0.8, 2.0), 0.002, "memory", ("memory: 3 TB/s",), (Spent("main", 1.25, 1),), 3e7, 2e6
)
KERNELS = (
    KernelRun("main_kernel", 1.0, 0.8, True, (("l2_hit", 40.0), ("stall_barrier", 2.0), ("stall_memory", 1.0))),
    KernelRun("void at::native::elementwise_kernel<4, at::native::add>(int, float)", 2.0, 0.2, False),
)
RUN = RunFacts("default", 1.0, KERNELS, 1.4, 2e12, 3e12)
MEASURED = Standing(
    "default",
    True,
    1.0,
    None,
    0.5,
    "launch",
    spent=tuple(Spent(k.name, k.device_ms, k.launches, "TileLang" if k.own else "PyTorch") for k in KERNELS),
)


def analysis(**more: object) -> Analysis:
    values = {
        "path": "src/kernels/2_10.py",
        "line_offset": 5,
        "problem": "10_Problem",
        "gpu": "H100",
        "evidence": Evidence(facts=(Facts("H100", "default", ()),)),
        "evaluation": None,
        "findings": (FINDING,),
        "standings": (ESTIMATED,),
        "not_known": ("measured times: no CUDA driver on this machine; times are estimates for H100",),
    }
    return Analysis(**{**values, **more})  # type: ignore[arg-type]


def of_a_run() -> Analysis:
    return analysis(evaluation=measured(1.5), standings=(MEASURED,), evidence=Evidence(runs=(RUN,)), not_known=())


def warned_of() -> Analysis:
    reason = Reason(
        "moved-initialisation", "product: TileLang sets acc inside the condition " * 3, 9, "Turn it off. " * 9
    )
    return analysis(evidence=Evidence(warnings=(reason,)), evaluation=CompileFailed("no " * 50, 3, "Write it. " * 12))


def test_nothing_is_wider_than_80_columns() -> None:
    for one in (
        analysis(),
        of_a_run(),
        warned_of(),
        analysis(standings=(ESTIMATED, replace(ESTIMATED, workload="large"))),
    ):
        assert max(map(len, text(one).splitlines())) <= WIDTH


def test_a_finding_has_its_line_in_the_file_its_numbers_and_what_to_do() -> None:
    shown = text(analysis())
    assert "1. uncoalesced-access (memory, line 12): could save 81%" in shown
    assert "-> Make the thread index" in shown and "(coalescing 0.0625, buffer X)" in shown


def test_an_estimate_is_marked_and_a_small_share_keeps_a_digit() -> None:
    shown = " ".join(text(analysis()).split())
    assert "est. 1.25 ms (est. 0.8 ms to 2 ms), not measured; at least 2.0 us (bytes over bandwidth)" in shown
    assert "est. 0.16% of the limit" in shown and "asks for 30 MB of memory; 2 MB have to cross" in shown
    assert "Where the time goes (estimated)" in shown and "Not known - measured times" in shown


def test_a_run_shows_kernels_the_hosts_part_rates_and_counters() -> None:
    shown = " ".join(text(of_a_run()).split())
    assert "1 ms on the device; at least 0.5 ms (one launch): 50% of the limit" in shown
    assert "80% 0.8 ms 1 main_kernel (TileLang)" in shown and "at::native::elementwise_kernel (PyTorch)" in shown
    assert "takes 1.4 ms: 0.4 ms of that is the host's" in shown
    assert "2,000 GB/s" in shown and "3 TFLOP/s" in shown
    assert "counters of main_kernel: L2 hits 40 %, warps wait for the barrier most" in shown
    assert "est." not in shown


def test_gaps_between_kernels_have_a_share_and_no_launches() -> None:
    row = Spent("gaps between kernels", 0.25)
    shown = text(analysis(standings=(replace(MEASURED, spent=(*MEASURED.spent[:1], row)),)))
    assert "     24%   0.25 ms            gaps between kernels" in shown


def test_a_long_table_ends_with_the_rest_of_it() -> None:
    rows = tuple(Spent(f"k{n}", 1.0, 1) for n in range(MOST_ROWS + 3))
    shown = text(analysis(standings=(replace(ESTIMATED, spent=rows),)))
    assert "3 others" in shown and f"k{MOST_ROWS}" not in shown


def test_what_is_wrong_has_a_limit_and_no_time() -> None:
    wrong = Wrong(Mismatch("wrong values in output 0"))
    untimed = replace(ESTIMATED, time_ms=None, interval_ms=None, spent=())
    one = analysis(evaluation=wrong, standings=(untimed,))
    assert "wrong values in output 0" in text(one) and "at least 2.0 us" in text(one)
    assert fields(one)["outcome"] == "wrong" and fields(one)["limit"]["achieved"] is None


def test_what_is_warned_of_and_what_to_change_are_shown_before_the_findings() -> None:
    shown = text(warned_of())
    assert shown.index("-> Write it.") < shown.index("Warned of") < shown.index("What holds it back")
    assert "(moved-initialisation, line 14)" in " ".join(shown.split()) and "-> Turn it off." in shown
    assert fields(warned_of())["warnings"][0]["line"] == 14


def test_a_warning_that_rules_weigh_is_said_by_them_alone() -> None:
    reason = Reason("low-occupancy", "main: 3 blocks of 128 threads fit on a multiprocessor", 9, "Use less.")
    one = analysis(evidence=Evidence(warnings=(reason,)))
    assert "Warned of" not in text(one) and fields(one)["warnings"][0]["rule"] == "low-occupancy"


def test_where_rules_find_nothing_it_is_said_where_the_time_goes() -> None:
    spent = (Spent("main", 0.9, 1, "memory-bound"), Spent("launches of its kernels", 0.35, 1))
    shown = " ".join(text(analysis(findings=(), standings=(replace(ESTIMATED, spent=spent),))).split())
    assert "nothing that the rules know; 72% of the estimated time goes into main (memory-bound)" in shown
    untimed = text(analysis(findings=(), standings=()))
    assert "nothing that the rules know\n" in untimed


def test_whole_numbers_are_shown_to_the_last_digit_up_to_millions() -> None:
    numbers = (("steps", 18432.0), ("global_bytes", 4.027e8), ("share", 0.25))
    shown = text(analysis(findings=(replace(FINDING, evidence=numbers),)))
    assert "(steps 18432, global_bytes 4.027e+08, share 0.25)" in shown


def test_what_programs_get_is_the_golden_one() -> None:
    """A field that goes, or says something else, breaks those who read it. A new one is added to the golden file."""
    shown = [fields(one) for one in (analysis(), of_a_run(), warned_of())]
    assert shown == json.loads(GOLDEN.read_text(encoding="utf-8"))


def test_programs_get_the_workload_furthest_from_its_limit() -> None:
    worse = replace(ESTIMATED, workload="large", time_ms=10.0)
    assert fields(analysis(standings=(ESTIMATED, worse)))["limit"]["workload"] == "large"
    assert fields(analysis(standings=()))["limit"] is None


def test_every_field_is_documented_and_is_json() -> None:
    named = set(re.findall(r"`(\w+)`", DOCUMENTED))
    for one in (analysis(), of_a_run()):
        shown = fields(one)
        json.dumps(shown, allow_nan=False)
        for names in (shown, shown["findings"][0], shown["limit"], shown["workloads"][0]):
            assert set(names) <= named, set(names) - named
        assert all(set(row) == {"what", "ms", "launches", "detail", "line"} for row in shown["workloads"][0]["time"])
    assert fields(of_a_run())["workloads"][0]["counters"]["main_kernel"]["l2_hit"] == 40.0


def test_every_counter_is_documented() -> None:
    assert {metric.name for metric in METRICS} <= set(re.findall(r"`(\w+)`", DOCUMENTED))
