"""Stores become one: everything is in it once, whatever the order, and a merge that fails leaves nothing behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from first_format import brought_back
from samples import PROBLEM, attempt, candidate, measured, run
from tilewright.cli import main
from tilewright.errors import StoreBusy, StoreError, UsageError
from tilewright.hardware import load_gpu
from tilewright.merging import _ROWS, merge
from tilewright.records import Interaction, Job, Judged, Lesson, Message
from tilewright.store import FILE, Store

SOURCE = Path(__file__).resolve().parents[2] / "src"
IN_MEMORY = Path("/dev/shm")  # where a commit doesn't wait for a disk


def judged(name: str) -> Judged:
    return Judged(Job(candidate(name), PROBLEM), measured(1.5), "local", "k.py", "H100", (), "2026-01-01T00:00:00Z")


def asked(text: str) -> Interaction:
    return Interaction("plan", "m", (Message("user", text),), text, 1, 1, 0.1, 1.0, "2026-01-01T00:00:00Z")


def went(store: Store, run_id: str, steps: str) -> None:
    """A run that does a step a letter; what it finds follows from all letters until then."""
    store.begin(replace(run(), id=run_id))
    carry_on(store, run_id, "", steps)
    store.finish(replace(run(), id=run_id, stop_reason="budget", seconds=len(steps)))


def carry_on(store: Store, run_id: str, before: str, steps: str) -> None:
    for number in range(len(before), len(before) + len(steps)):
        path = (before + steps)[: number + 1]
        place = f"turn {number}"
        store.record(run_id, asked(path))
        store.remember(run_id, place, [candidate(path)])
        store.append(run_id, replace(attempt(number, measured(1.0)), candidate=candidate(path)))
        store.learn(run_id, f"{place} lessons", [Lesson(f"learned {path}", "")])


def content(results: Path) -> set[str]:
    """All that a store holds, but for the ids of runs and lessons."""
    found = set()
    with closing(Store(results / FILE)) as store:
        for run_id in store.runs():
            loaded = replace(store.load(run_id), id="")
            places = {place: store.remembered(run_id, place) for place in (f"turn {n}" for n in range(9))}
            found.add(repr((loaded, store.interactions(run_id), places)))
        found |= {f"{run_id.partition('-')[0]} {lesson}" for _, run_id, lesson in store.lessons()}
    with closing(sqlite3.connect(results / FILE)) as db:
        found |= {repr(row) for row in db.execute("SELECT id, at, record FROM evaluation")}
    return found


def results_with(folder: Path, runs: dict[str, str], evaluations: Sequence[str] = ()) -> Path:
    with closing(Store(folder / FILE)) as store:
        for run_id, steps in runs.items():
            went(store, run_id, steps)
        for name in evaluations:
            store.keep(judged(name))
    return folder


RUNS = st.dictionaries(st.sampled_from(["0101aa", "0102bb"]), st.text("xy", max_size=3), max_size=2)
STORES = st.lists(st.tuples(RUNS, st.lists(st.sampled_from("ef"), unique=True)), min_size=2, max_size=3)


@settings(max_examples=12, deadline=None)
@given(STORES)
def test_neither_the_order_of_merges_nor_their_number_matters(stores: list[tuple[dict[str, str], list[str]]]) -> None:
    with tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as name:
        root = Path(name)
        made = [results_with(root / str(n), *one) for n, one in enumerate(stores)]
        merged = []
        for number, order in enumerate((made, made[::-1], made[1:] + made[:1])):
            one_by_one = root / f"into{number}"
            for other in order:
                merge(one_by_one, [other])
            merged.append(content(one_by_one))
            assert merge(one_by_one, order).nothing
        at_once = root / "at once"
        merge(at_once, made)
        in_pairs = root / "in pairs"
        shutil.copytree(made[0], in_pairs)
        merge(in_pairs, [at_once])
        assert all(one == merged[0] for one in [*merged, content(at_once), content(in_pairs)])


def test_every_table_of_a_store_is_merged(tmp_path: Path) -> None:
    with closing(sqlite3.connect(results_with(tmp_path, {}) / FILE)) as db:
        tables = {
            row[0]: {c[1] for c in db.execute(f"PRAGMA table_info({row[0]})")}
            for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
    assert set(tables) == {"run", "lesson", "evaluation", "verdict", "answer", *_ROWS}
    assert all(tables[name] == {"run_id", *columns} for name, columns in _ROWS.items())


def test_what_a_run_knows_of_its_gpu_comes_with_it(tmp_path: Path) -> None:
    here, there = tmp_path / "here", results_with(tmp_path / "there", {"0101aa": "x"})
    gpu = replace(load_gpu("H100"), measured_launch_s=4.5e-6, probed=True)
    with closing(Store(there / FILE)) as store:
        store.keep_gpu("0101aa", gpu)
    merge(here, [there])
    with closing(Store(here / FILE)) as store:
        assert store.gpu("0101aa") == gpu


def test_a_run_that_went_on_elsewhere_is_here_as_far_as_it_came(tmp_path: Path) -> None:
    here = results_with(tmp_path / "here", {"0101aa": "x"})
    there = results_with(tmp_path / "there", {"0101aa": "x"})
    with closing(Store(there / FILE)) as store:
        carry_on(store, "0101aa", "x", "y")
        store.finish(replace(run(), id="0101aa", stop_reason="awaiting_gpu", seconds=9.0))
    merged = merge(here, [there / FILE])
    assert (merged.runs, merged.continued, merged.waiting) == ((), ("0101aa",), ("0101aa",))
    assert content(here) == content(there)
    with closing(Store(here / FILE)) as store:
        assert store.load("0101aa").stop_reason == "awaiting_gpu" and len(store.lessons()) == 2
        store.take("0101aa")  # it belongs to no process


def test_a_run_that_went_on_on_both_machines_stays_in_both_states(tmp_path: Path) -> None:
    here = results_with(tmp_path / "here", {"0101aa": "xx"})
    there = results_with(tmp_path / "there", {"0101aa": "xy"})
    merged = merge(here, [there])
    ((name, other),) = merged.diverged
    assert name == "0101aa" and other.startswith("0101aa-")
    with closing(Store(here / FILE)) as store:
        assert store.find("0101aa") == "0101aa"
        hypotheses = [[a.candidate.hypothesis for a in store.load(id_).attempts] for id_ in (name, other)]
        assert hypotheses == [["x", "xx"], ["x", "xy"]] and store.load(other).id == other
        assert sorted(lesson.text for _, _, lesson in store.lessons()) == ["learned x", "learned xx", "learned xy"]
        carry_on(store, other, "xy", "y")
    assert merge(here, [there]).nothing  # what went on here under its new name is still known as the same


def test_what_was_edited_or_forgotten_here_stays_so(tmp_path: Path) -> None:
    here = results_with(tmp_path / "here", {"0101aa": "xx"})
    there = results_with(tmp_path / "there", {"0101aa": "xxx"})
    with closing(Store(here / FILE)) as store:
        (second, _, _), (first, _, _) = store.lessons()
        store.edit_lesson(first, Lesson("in my words", ""))
        store.edit_lesson(second, None)
    merge(here, [there])
    with closing(Store(here / FILE)) as store:
        assert [lesson.text for _, _, lesson in store.lessons()] == ["learned xxx", "in my words"]


def test_the_last_run_is_the_one_that_began_last_wherever_that_was(tmp_path: Path) -> None:
    for name, started in (("here", "2026-01-02T00:00:00Z"), ("there", "2026-01-01T00:00:00Z")):
        with closing(Store(tmp_path / name / FILE)) as store:
            store.begin(replace(run(), id=name, started=started))
    merge(tmp_path / "here", [tmp_path / "there"])
    with closing(Store(tmp_path / "here" / FILE)) as store:
        assert store.runs() == ("here", "there") and store.find("last") == "here"


def test_a_store_that_is_in_use_is_read_as_it_is(tmp_path: Path) -> None:
    with closing(Store(tmp_path / "there" / FILE)) as store:
        store.begin(run())
        assert merge(tmp_path / "here", [tmp_path / "there"]).runs == ("r1",)
        assert merge(tmp_path / "there", [tmp_path / "here"]).nothing
        store.append("r1", attempt(0, measured(1.0)))


def test_of_the_same_verdict_taken_twice_the_later_one_stays(tmp_path: Path) -> None:
    first, later = judged("e"), replace(judged("e"), when="2026-02-01T00:00:00Z", kernel_path="elsewhere.py")
    for name, one in (("a", first), ("b", later)):
        with closing(Store(tmp_path / name / FILE)) as store:
            store.keep(one)
    assert merge(tmp_path / "a", [tmp_path / "b"]).evaluations == 0
    merge(tmp_path / "b", [tmp_path / "a"])
    for name in ("a", "b"):
        with closing(Store(tmp_path / name / FILE)) as store:
            assert store.kept(first.id) == later


def test_a_run_that_is_worked_on_here_is_not_replaced_and_nothing_is_merged(tmp_path: Path) -> None:
    here = results_with(tmp_path / "here", {"0101aa": "x"})
    with closing(Store(here / FILE)) as store:
        store.take("0101aa")
    there = results_with(tmp_path / "there", {"0100cc": "y", "0101aa": "xx"})
    before = content(here)
    with pytest.raises(StoreBusy, match="works on it here"):
        merge(here, [there])
    assert content(here) == before


def test_an_older_format_is_read_and_left_alone_and_a_newer_one_is_refused(tmp_path: Path) -> None:
    here, there = tmp_path / "here", results_with(tmp_path / "there", {"0101aa": ""})
    brought_back(there / FILE)
    assert merge(here, [there]).runs == ("0101aa",)
    with closing(sqlite3.connect(there / FILE)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match=r"newer tilewright.*Nothing was merged"):
        merge(here, [there])


def test_what_is_no_store_is_said_before_anything_is_made(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database, but long enough that it might have been one" * 20)
    sqlite3.connect(tmp_path / "empty.db").execute("CREATE TABLE t (x)").connection.close()
    for other, error, words in (
        ("missing", UsageError, "no such store"),
        ("text.db", StoreError, "can't be read"),
        ("empty.db", UsageError, "no store of tilewright"),
    ):
        with pytest.raises(error, match=words):
            merge(tmp_path / "new", [tmp_path / other])
    assert not (tmp_path / "new").exists()


def test_a_merge_that_fails_half_way_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    here = results_with(tmp_path / "here", {"0101aa": "x"})
    there = results_with(tmp_path / "there", {"0102bb": "xy"}, ["e"])
    before = content(here)
    with closing(sqlite3.connect(here / FILE)) as db:
        db.execute("CREATE TRIGGER full BEFORE INSERT ON lesson BEGIN SELECT RAISE(ABORT, 'no room'); END")
    with pytest.raises(StoreError, match=r"no room.*Nothing was merged"):
        merge(here, [there])
    assert content(here) == before


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX's")
def test_a_merge_that_is_killed_leaves_nothing_half(tmp_path: Path) -> None:
    there = tmp_path / "there"
    with closing(Store(there / FILE)) as store:
        for number in range(40):
            went(store, f"{number:04}aa", "")
    with closing(sqlite3.connect(there / FILE)) as db:  # many rows, without a commit for each
        row = db.execute("SELECT record FROM run").fetchone()
        db.executemany(
            "INSERT INTO proposal VALUES ('0039aa', 'turn 1', ?, ?)", ((number, row[0]) for number in range(20_000))
        )
        db.commit()
    script = "import sys; from pathlib import Path; from tilewright.merging import merge; print(flush=True); "
    script += "merge(Path(sys.argv[1]), [Path(sys.argv[2])])"
    seen = set()
    for number, delay in enumerate((0.05, 0.1, 0.15, 0.2, 0.3)):
        here = results_with(tmp_path / f"here{number}", {"0101bb": "x"})
        command = [sys.executable, "-c", script, str(here), str(there)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(SOURCE)}) as one:
            assert one.stdout is not None and one.stdout.readline()
            time.sleep(delay)
            one.send_signal(signal.SIGKILL)
        with closing(Store(here / FILE)) as store:
            seen.add(len(store.runs()))
    assert seen <= {1, 41}


def test_the_command_says_what_came_in_words_and_as_json(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    there = results_with(tmp_path / "there", {"0101aa": "xy"}, ["e", "f"])
    command = ["store", "merge", str(there), "--results", str(tmp_path / "here")]
    with pytest.raises(SystemExit) as ended:
        main([*command, "--json"])
    assert ended.value.code == 0
    record = json.loads(capfdbinary.readouterr().out)
    assert record == {
        "runs": ["0101aa"], "continued": [], "diverged": [], "evaluations": 2, "lessons": 2, "waiting": [],
    }  # fmt: skip
    with pytest.raises(SystemExit):
        main(command)
    assert capfdbinary.readouterr().out == b"nothing new: everything was here\n"
