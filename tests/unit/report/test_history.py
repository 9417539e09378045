"""The history file is valid JSON at every moment and never replaces another run's."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from samples import attempt, candidate, measured, run
from tilewright.errors import StoreError
from tilewright.records import Finding
from tilewright.report.history import HistoryFile


def test_each_attempt_says_what_was_found_changed_and_gained(tmp_path: Path) -> None:
    seed = attempt(0, measured(0.5), 0, "seed", findings=(Finding("r", "host", "low", "it waits", "don't"),))
    child = replace(attempt(1, measured(1.0)), candidate=candidate("better", parent=seed.candidate.id))
    history = HistoryFile(tmp_path)
    history.started(run())
    history.tried(run(seed, child), child)
    entries = json.loads((tmp_path / "optimization_history_p.json").read_text())
    assert entries[0]["bottleneck_analysis"] == "it waits" and entries[0]["suggestions"] == ["don't"]
    assert entries[1]["improvement"] == pytest.approx(1.0) and "+# better" in entries[1]["code_change"]
    assert entries[1]["evaluation"]["measurement"]["speedup_ratio"] == 1.0


def test_an_earlier_runs_file_is_kept(tmp_path: Path) -> None:
    first = run(attempt(0, measured(0.5), 0, "seed"))
    HistoryFile(tmp_path).started(first)
    HistoryFile(tmp_path).started(replace(run(), id="r2"))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "optimization_history_p.json",
        "optimization_history_p_r1.json",
    ]
    assert json.loads((tmp_path / "optimization_history_p_r1.json").read_text())[0]["run"] == "r1"


def test_a_folder_that_cannot_be_written_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="--results DIR"):
        HistoryFile(tmp_path / "file" / "logs").started(run())


def test_a_full_disk_is_explained_and_the_file_stays_valid(tmp_path: Path) -> None:
    history = HistoryFile(tmp_path)
    history.started(run())
    name = f".optimization_history_p.json.{os.getpid()}.r1"
    (tmp_path / name).mkdir()  # nothing can be written under it now
    with pytest.raises(StoreError, match="tilewright resume r1"):
        history.tried(run(attempt(0, measured(0.5), 0, "seed")), attempt(0, measured(0.5), 0, "seed"))
    assert json.loads((tmp_path / "optimization_history_p.json").read_text()) == []
