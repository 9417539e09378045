"""Benchmarks that are cut off: which rows are taken for done, and how many comparisons are still to be made."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks import rowfile
from benchmarks.evaluator import _ROWS, MORE_WORK, Bench, _padded, padded, same
from benchmarks.tables import _evaluator_tables
from stand_in_workers import StandIn
from tilewright.judge import commit


def test_only_rows_of_this_commit_with_the_same_values_are_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "rows.jsonl"
    for row in ({"a": 1, "commit": "new"}, {"a": 2, "commit": "new"}, {"a": 1, "commit": "old"}, {"commit": "new"}):
        rowfile.append(out, row)
    assert rowfile.known(out, "new", a=1) == [{"a": 1, "commit": "new"}]
    assert capsys.readouterr().out == f"1 rows of new are in {out} already\n"
    assert rowfile.known(out, "newer") == [] and capsys.readouterr().out == ""
    assert len(rowfile.stored(out)) == 4


def test_a_file_that_is_of_one_commit_loses_the_rows_of_others(tmp_path: Path) -> None:
    out = tmp_path / "folder" / "rows.jsonl"
    assert rowfile.begun(out, "new") == []
    for row in ({"a": 1, "commit": "old"}, {"a": 2, "commit": "new"}):
        rowfile.append(out, row)
    assert rowfile.begun(out, "new") == rowfile.stored(out) == [{"a": 2, "commit": "new"}]


def test_comparisons_go_on_until_each_kernel_and_each_amount_of_work_has_its_count(tmp_path: Path) -> None:
    with closing(StandIn("gpu", tmp_path / "log")) as evaluator:
        bench = Bench(evaluator, (), "H200", tmp_path / "rows.jsonl")
        rowfile.append(bench.out, {"benchmark": "same", "kernel": "26_GELU", "commit": "another"})
        for count in (2, 6, 4):
            same(bench, count, ["1_26", "1_25"])
        for count in (1, 2):
            padded(bench, count)
    rows = rowfile.alike(bench.out, commit=commit())
    assert Counter(row["kernel"] for row in rows if row["benchmark"] == "same") == {"26_GELU": 3, "25_Swish": 3}
    assert Counter(row["work"] for row in rows if row["benchmark"] == "padded") == dict.fromkeys(MORE_WORK, 2)


def test_padded_kernel_and_reference_have_the_rows_that_the_extra_ones_are_counted_by() -> None:
    candidate, problem = _padded(7)
    assert "EXTRA = 7\n" in candidate.source
    for source in (candidate.source, problem.source):
        assert f"\nROWS = {_ROWS}\n" in source


def test_comparisons_that_brought_no_time_are_told_and_count_for_nothing() -> None:
    rows: list[rowfile.Row] = [
        {"benchmark": "same", "kernel": "k", "ratio": 1.0, "candidate_ms": 1.0, "pairs": [[1.0, 1.0]]},
        {"benchmark": "same", "kernel": "k", "outcome": "timed_out"},
    ]
    text = _evaluator_tables([{**row, "gpu": "H200", "commit": "abc"} for row in rows])
    assert "Without a time: 1 of same (timed_out)." in text and "| k | 1000.0 us | 1 | 0 |" in text
