"""The benchmarks of the search: what their rows hold, and what their tables make of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import rowfile
from benchmarks.heldout import of_run as heldout_row
from benchmarks.search_tables import Row, heldout_table, tuning_table
from benchmarks.tuning import CONFIGURATIONS, KERNELS, Task, Values, Winner, _winners, task_of, times_ms
from benchmarks.tuning import of_run as tuning_row
from samples import PROBLEM, candidate, estimated, measured, timing
from tilewright.hardware import load_gpu
from tilewright.records import Attempt, Candidate, Comparison, Problem, Run
from tilewright.source.knobs import find_knobs, values_of
from tilewright.wiring import Outcome

ABOUT = {"jobs": 2, "gpus": 1, "wall_s": 300.0, "commit": "abc"}
KNOBS = "import tilelang\nTUNABLES = {'block_M': (64, 128)}\nblock_M = 64\n"


def run_of(*attempts: Attempt) -> Run:
    return Run("r1", PROBLEM, "k.py", (), "local", "H100", "2026-01-01T00:00:00Z", attempts)


def rewritten() -> Run:
    """A seed, a rewrite that helps, one that doesn't, and a setting of the first."""
    seed = Attempt(0, 0, "seed", candidate("seed"), measured(0.4))
    made = [
        Candidate(f"# {name}\n", parent=seed.candidate.id, proposer="rewrites", hypothesis=f"{name}: because")
        for name in ("tiled_matmul + cache_kernels", "split_rows")
    ]
    knobs = Candidate("# knobs\n", parent=made[0].id, proposer="tuner", structure=made[0].id)
    last = measured(1.2, comparisons=(Comparison("seed", "device", timing(3.0)),))
    return run_of(
        seed,
        Attempt(1, 1, "structure", made[0], measured(0.9)),
        Attempt(2, 1, "structure", made[1], measured(0.3)),
        Attempt(3, 1, "knobs", knobs, last),
    )


def test_a_heldout_row_says_which_rewrites_were_tried_and_which_are_in_the_best() -> None:
    row = heldout_row(Outcome(rewritten(), None), [5.0, 9.0, 12.0, 20.0])
    assert row["rewrites_tried"] == {"tiled_matmul": 1, "cache_kernels": 1, "split_rows": 1}
    assert row["rewrites_in_best"] == ["cache_kernels", "tiled_matmul"]
    assert row["first_improvement_s"] == 9.0 and row["gain"] == 3.0
    assert [one["kept"] for one in row["tried"]] == [False, True, False, True]


def test_the_heldout_table_sums_up_the_kernels_that_were_slow() -> None:
    row = heldout_row(Outcome(rewritten(), None), [5.0, 9.0, 12.0, 20.0])
    stored = json.loads(json.dumps({"kernel": "1_1", **row, **ABOUT}))
    fast = run_of(Attempt(0, 0, "seed", candidate("fast"), measured(1.5)))
    other = json.loads(json.dumps({"kernel": "1_2", **heldout_row(Outcome(fast, None), [4.0]), **ABOUT}))
    with pytest.raises(ValueError, match="the pairs give"):  # these pairs are too few for that interval
        heldout_table([stored])
    text = heldout_table([exact(stored), exact(other)])
    assert "Of 1 kernels slower than 0.8x" in text and "3.00 times" in text and "1 at 0.8x or better" in text
    assert "| split_rows | 1 | 0 |" in text and "| tiled_matmul | 1 | 1 |" in text


def exact(row: Row) -> Row:
    """With intervals that follow from the one pair there is."""
    for part in ("seed", "best"):
        measurement = row[part]["evaluation"]["measurement"]
        measurement["low"] = measurement["high"] = measurement["speedup_ratio"]
    return row


def test_a_knob_search_is_told_by_its_best_and_by_its_best_in_time() -> None:
    wide = KNOBS.replace("= 64\n", "= 128\n")
    run = run_of(
        Attempt(0, 0, "seed", Candidate(KNOBS), measured(0.4)), Attempt(1, 1, "knobs", Candidate(wide), measured(0.9))
    )
    row = tuning_row(run, [3.0, 31.0])
    assert (row["values"], row["values_in_time"]) == ({"block_M": 128}, {"block_M": 64})
    assert (row["measured"], row["measured_in_time"]) == (2, 1)
    nothing = tuning_row(run_of(Attempt(0, 0, "seed", Candidate(KNOBS), estimated(1.0))), [3.0])
    assert nothing["measured"] == 0


def test_each_setting_is_measured_once_whoever_chose_it() -> None:
    task = Task("k", Path("k.py"), Path("r.py"), Candidate(KNOBS), Problem("k", ""), ())
    slow: Values = {"block_M": 64}
    fast: Values = {"block_M": 128}
    known: list[Row] = [
        {"part": "grid", "values": slow, "outcome": "measured", "candidate_ms": 2.0},
        {"part": "grid", "values": fast, "outcome": "measured", "candidate_ms": 1.0},
        {"part": "grid", "values": {"block_M": 32}, "outcome": "wrong"},
        {"part": "tuned", "values": fast, "values_in_time": None},
        {"part": "autotuned", "values": {"block_M": 32}},
    ]
    assert _winners(task, known) == [
        Winner(fast, ["grid 1", "tuned"]),
        Winner(slow, ["grid 2", "start"]),
    ]


def test_the_tuning_table_compares_times_of_the_same_rounds() -> None:
    comparison = Comparison("tuned", "device", replace(timing(1.0), pairs=((1.0, 1.25),)))
    times = times_ms(measured(2.0, comparisons=(comparison,)).measurement, "grid 1")
    assert times == {"grid 1": [1.0], "eager": [2.0], "tuned": [1.25]}
    winners = {"grid 1": Winner({}, ["grid 1", "autotuned"]), "tuned": Winner({}, ["tuned", "start"])}
    final: Row = {
        "part": "final",
        "outcome": "measured",
        "times": times,
        "winners": {name: {"names": one.names, "values": one.values} for name, one in winners.items()},
    }
    parts: list[Row] = [
        {"part": "tuned", "measured": 24, "seconds": 20.0},
        {"part": "autotuned", "seconds": 200.0},
        {"part": "grid"},
        {"part": "grid time", "seconds": 100.0},
        final,
    ]
    rows = [{"kernel": "product", "gpu": "H100", "commit": "abc", "cores": 32, **part} for part in parts]
    line = tuning_table(rows).splitlines()[-1]
    assert "80.0% (80.0% to 80.0%)" in line and "| 24, 20 s |" in line and "the same" in line


@pytest.mark.parametrize("name", KERNELS)
def test_a_grid_is_many_times_what_the_search_may_measure(name: str) -> None:
    task = task_of(name, load_gpu("H100"))
    assert 2.5 * CONFIGURATIONS < len(task.space) <= 300
    assert values_of(task.candidate.source) in task.space
    assert all(knob.declared for knob in find_knobs(task.candidate.source))


def test_half_a_row_of_a_killed_command_is_cut_off(tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    rowfile.append(out, {"a": 1})
    with open(out, "a", encoding="utf-8") as file:
        file.write('{"a": 2')
    assert rowfile.stored(out) == [{"a": 1}]
    rowfile.append(out, {"a": 3})
    assert rowfile.stored(out) == [{"a": 1}, {"a": 3}]
