"""Lessons may be answered after a run's end, and `resume --waiting` names the runs that it can't go on with."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from samples import attempt, candidate, measured, run
from tilewright.cli import main
from tilewright.config import OptimizationConfig, to_pairs
from tilewright.records import Attempt
from tilewright.store import FILE, Store

PLACE = "turn 1 lessons llm"
LESSON = "[[ ## lessons ## ]]\n### 1. Twice as wide loads halve the time\nWhen: bound by memory\n"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A run that reached its target in the turn about which a file asks."""
    config = OptimizationConfig(kernel_file="k.py", results=str(tmp_path), model=f"file:{tmp_path / 'exchange'}")
    made = replace(run(), settings=to_pairs(config), evaluator="local")
    seed = Attempt(0, 0, "seed", candidate("seed"), measured(0.5))
    with closing(Store(tmp_path / FILE)) as store:
        store.begin(made)
        store.append("r1", seed)
        store.append("r1", attempt(1, measured(2.0)))
        store.await_lessons("r1", PLACE)
        store.finish(replace(made, stop_reason="target", stop_detail="2x"))
    return tmp_path


def waiting(results: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        main(["resume", "--waiting", "--quiet", "--results", str(results)])
    return int(ended.value.code or 0), capsys.readouterr().err


def test_a_lesson_is_taken_in_after_the_end_and_the_run_stays_as_it_ended(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = (
        "run r1: 1 prompt that asks what was learned may be answered later, too. Then: tilewright resume --waiting\n"
    )
    assert waiting(results, capsys) == (0, asked)
    [prompt] = (results / "exchange").glob("*-reflect-turn-1-*.prompt.md")
    prompt.with_name(prompt.name.replace(".prompt.", ".answer.")).write_text(LESSON)
    assert "lessons" in waiting(results, capsys)[1]
    assert waiting(results, capsys) == (0, "No run waits for anything.\n")
    with closing(Store(results / FILE)) as store:
        [(_, taught_by, lesson)] = store.lessons()
        ended = store.load("r1")
    assert (taught_by, lesson.text, lesson.ratio) == ("r1", "Twice as wide loads halve the time", 4.0)
    assert (ended.stop_reason, ended.stop_detail, len(ended.attempts)) == ("target", "2x", 2)


def test_more_changes_are_asked_about_in_place_of_fewer(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    waiting(results, capsys)
    with closing(Store(results / FILE)) as store:
        store.append("r1", attempt(2, measured(3.0)))
    assert "1 prompt that asks" in waiting(results, capsys)[1]
    assert [path.name[:4] for path in (results / "exchange").glob("*.prompt.md")] == ["0002"]
    assert [path.name[:4] for path in (results / "exchange").glob("*.superseded.md")] == ["0001"]


def owned_by(results: Path, owner: str) -> None:
    with closing(sqlite3.connect(results / FILE)) as db, db:
        db.execute("UPDATE run SET stop_reason = '', owner = ?", (owner,))


@pytest.mark.parametrize(
    ("owner", "said"), [("7@elsewhere", "process 7@elsewhere works on it"), ("", "go on with it here")]
)
def test_a_run_that_may_go_on_elsewhere_is_named_with_the_command(
    results: Path, capsys: pytest.CaptureFixture[str], owner: str, said: str
) -> None:
    owned_by(results, owner)
    code, told = waiting(results, capsys)
    assert code == 0 and said in told and told.endswith("tilewright resume r1\n")


def test_a_run_whose_process_died_here_is_taken_up(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As far as its kernel's file, which is gone in this test."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    owned_by(results, f"{dead.pid}@{socket.gethostname()}")
    code, told = waiting(results, capsys)
    assert code == 2 and told.startswith("run r1: ") and "k.py" in told
