"""What is said of a batch: means per level and family, what helped, the page."""

from __future__ import annotations

import io
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from samples import candidate, estimated, measured, run
from tilewright.records import Attempt, Cost, Run
from tilewright.report.batch import lines, page
from tilewright.report.batch.rows import Row, Step, Summary, all_means, helped, row, short_names, steps
from tilewright.report.batch.screen import BatchScreen

ROWS = (
    Row("a.py", "target", 1, "matmul", "r1", 0.2, 0.8, 4.0, True, 0.5, 9, 3.0, "", (Step("tiled_matmul", 4.0),)),
    Row("b.py", "plateau", 2, "matmul", "r2", 0.5, 0.5, 1.0, True, None, 9, 3.0),
    Row(
        "c<b>.py",
        "gpu_seconds",
        1,
        "softmax",
        "r3",
        0.4,
        3.6,
        9.0,
        True,
        1.02,
        5,
        1.0,
        "",
        (Step("knobs", 1.5), Step("block_per_row", 6.0)),
    ),
    Row("d.py", "failed", 1, detail="d.py: no Python | at all"),
)
SUMMARY = Summary("slow-ones", "H200", ROWS, 60.0, 7.0, 23, 1.5, 2000, False, "gpu_seconds", "7.0 s used")


def grown() -> Run:
    """Seed, a rewrite that is slower, its knobs, which make it the best."""
    seed, slower, best = candidate("seed"), candidate("a", candidate("seed").id), candidate("b", candidate("a").id)
    rewrite = replace(slower, proposer="rewrites", hypothesis="fuse_rows: one pass instead of two")
    return run(
        Attempt(0, 0, "seed", seed, measured(0.5), cost=Cost(gpu_seconds=1.0)),
        Attempt(1, 1, "structure", rewrite, measured(0.4), cost=Cost(gpu_seconds=2.0)),
        Attempt(2, 1, "knobs", best, measured(0.8)),
    )


def test_a_row_says_where_a_run_stands() -> None:
    found = row(grown(), "turn 1", "softmax", lambda attempt, gpu: 0.25)
    assert (found.before, found.after, found.measured, found.limit) == (0.5, 0.8, True, 0.25)
    assert found.gain == pytest.approx(1.6) and found.gpu_seconds == 3.0 and found.attempts == 3


def test_an_estimate_is_no_speedup() -> None:
    found = row(
        run(Attempt(0, 0, "seed", candidate("seed"), estimated(2.0))), "turn 1", "", lambda attempt, gpu: None
    )
    assert (found.before, found.after, found.measured, found.gain) == (None, None, False, 1.0)
    assert "est. 1.00x" in lines.kernel_line(found)


def test_what_helped_is_the_way_to_the_best() -> None:
    assert steps(grown()) == [Step("fuse_rows", pytest.approx(0.8)), Step("knobs", pytest.approx(2.0))]
    assert [(one.what, one.times, one.ratio) for one in helped(ROWS)] == [
        ("block_per_row", 1, pytest.approx(6.0)),
        ("tiled_matmul", 1, pytest.approx(4.0)),
        ("knobs", 1, pytest.approx(1.5)),
    ]


def test_means_are_geometric_and_leave_out_what_has_no_result() -> None:
    means = {mean.group: mean for mean in all_means(ROWS)}
    assert list(means) == ["all", "level 1", "level 2", "matmul", "softmax"]
    assert means["all"].kernels == 3 and means["all"].gain == pytest.approx(36 ** (1 / 3))
    assert means["level 1"].gain == pytest.approx(6.0) and means["matmul"].gain == pytest.approx(2.0)
    assert means["matmul"].before == pytest.approx(0.1**0.5) and means["matmul"].after == pytest.approx(0.4**0.5)


def test_all_of_it_is_told_in_lines() -> None:
    text = "\n".join(lines.lines(SUMMARY))
    assert "a.py: 0.200x -> 0.800x, 4.00x of the kernel it began with, 50% of the limit; target" in text
    assert "level 1: 2 kernels, geometric mean 0.283x -> 1.697x, 6.00x of those they began with" in text
    assert "helped: block_per_row, 1 time, 6.00x each" in text
    assert "23 candidates in 60 s, 7.0 s of the GPU, 2,000 tokens, 1.50 USD" in text


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_has_the_kernels_the_spread_and_what_helped_and_escapes_names(tmp_path: Path) -> None:
    written = page.write_report(SUMMARY, tmp_path)
    shown = Tags(written.read_text())
    assert shown.seen.count("svg") == 1 and shown.seen.count("table") == 3
    assert "c<b>.py" in shown.text and "b" not in shown.seen
    assert "Stopped before all kernels had ended: gpu_seconds (7.0 s used)." in shown.text
    markdown = written.with_suffix(".md").read_text()
    assert "| block\\_per\\_row | 1 | 6.00x |" in markdown and "no Python \\| at all" in markdown


def test_what_gained_most_comes_first_by_short_names() -> None:
    long = tuple(replace(one, kernel=f"/home/me/kernels/level{one.level}/{one.kernel}") for one in ROWS)
    assert short_names(long)["/home/me/kernels/level2/b.py"] == "level2/b.py"
    assert short_names((*long, Row("1_50", "failed")))["1_50"] == "1_50"
    assert short_names(ROWS)["a.py"] == "a.py"
    table = page.markdown(replace(SUMMARY, rows=long)).split("## Kernels")[1].splitlines()[4:8]
    assert [line.split("|")[1].strip() for line in table] == [
        "level1/c\\<b\\>.py",
        "level1/a.py",
        "level2/b.py",
        "level1/d.py",
    ]


def test_one_that_has_not_ended_says_how_to_go_on() -> None:
    assert "tilewright batch --resume slow-ones" in page.page(SUMMARY)
    assert "--resume" not in page.page(replace(SUMMARY, ended=True))


def test_a_batch_without_any_result_has_a_page_too() -> None:
    assert "failed" in Tags(page.page(replace(SUMMARY, rows=ROWS[3:]))).text


class Spent:
    evaluations, gpu_s, seconds, share = 3, 4.0, 50.0, 0.25


def test_piped_output_has_a_line_a_kernel_when_it_ends_and_a_screen_a_table() -> None:
    piped, shown = io.StringIO(), io.StringIO()
    for out, terminal in ((piped, False), (shown, True)):
        screen = BatchScreen(Console(file=out, force_terminal=terminal, width=120, height=10))
        screen.began("slow-ones", ROWS, ["d.py"], Spent())
        screen.changed(replace(ROWS[0], state="turn 2"), False)
        screen.changed(ROWS[1], True)
        screen.close()
    assert [line.partition(":")[0] for line in piped.getvalue().splitlines()[1:]] == ["2/4 b.py"]
    assert "turn 2" in shown.getvalue() and "2 of 4 kernels ended; 3 candidates" in shown.getvalue()
    assert "25% of the budget, at most about 2 min left" in " ".join(shown.getvalue().split())


def test_quiet_is_quiet() -> None:
    out = io.StringIO()
    screen = BatchScreen(Console(file=out, force_terminal=True), quiet=True)
    screen.began("slow-ones", ROWS, [], Spent())
    screen.changed(ROWS[0], True)
    screen.close()
    assert not out.getvalue()
