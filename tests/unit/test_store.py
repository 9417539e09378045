"""The store keeps what was finished, through kills, other versions and other processes."""

import sqlite3
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from first_format import brought_back
from samples import PROBLEM, attempt, candidate, measured, run
from tilewright.errors import StoreBusy, StoreError, UsageError
from tilewright.hardware import load_gpu
from tilewright.protocols import Verdict
from tilewright.records import Evidence, Job, Judged, Lesson, Mismatch, Wrong
from tilewright.store import Store


def test_a_run_comes_back_as_it_was(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.db")
    stored = run()
    store.begin(stored)
    first = attempt(0, measured(1.0), 0, "seed")
    store.append("r1", first)
    store.finish(replace(stored, stop_reason="target", stop_detail="d", seconds=3.0))
    back = store.load("r1")
    assert back.attempts == (first,) and back.stop_reason == "target" and back.seconds == 3.0


def test_the_same_candidate_is_not_stored_twice(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.db")
    store.begin(run())
    store.append("r1", attempt(0, measured(1.0)))
    with pytest.raises(StoreError):
        store.append("r1", replace(attempt(0, measured(1.0)), index=1))


def test_answers_of_proposers_are_remembered_also_when_empty(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.db")
    store.begin(run())
    assert store.remembered("r1", "turn 1") is None
    store.remember("r1", "turn 1", [])
    store.remember("r1", "turn 2", [candidate("a"), candidate("b")])
    assert store.remembered("r1", "turn 1") == ()
    assert [c.hypothesis for c in store.remembered("r1", "turn 2") or ()] == ["a", "b"]


def test_what_gates_said_is_kept_until_the_attempt_is_there_and_for_those_gates_alone(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.db")
    store.begin(run())
    waiting, refused = candidate("c0"), candidate("c1")
    found = Verdict(Evidence(not_checked=("no nvcc",)))
    wrong = Verdict(failure=Wrong(Mismatch("wrong at [0]")))
    store.keep_verdict("r1", waiting.id, "v1", found)
    store.keep_verdict("r1", refused.id, "v1", wrong)
    assert store.verdict("r1", waiting.id, "v1") == found and store.verdict("r1", refused.id, "v1") == wrong
    assert store.verdict("r1", waiting.id, "v2") is None
    store.append("r1", replace(attempt(0, measured(1.0)), candidate=waiting))
    assert store.verdict("r1", waiting.id, "v1") is None and store.verdict("r1", refused.id, "v1") == wrong


def test_a_run_keeps_the_gpu_that_it_began_with(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.db")
    store.begin(run())
    assert store.gpu("r1") is None
    listed = load_gpu("H100")
    probed = replace(listed, measured_launch_s=4.5e-6, probed=True)
    store.keep_gpu("r1", probed)
    store.keep_gpu("r1", listed)
    assert store.gpu("r1") == probed


def test_runs_are_found_by_prefix_path_and_last(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.db")
    with pytest.raises(UsageError, match="holds no run yet"):
        store.find("last")
    store.begin(run())
    store.begin(replace(run(), id="q2", kernel_path="level2/2_10.py"))
    assert store.find("last") == "q2" and store.find("r") == "r1" and store.find("2_10") == "q2"
    with pytest.raises(UsageError, match="no run 'zz'"):
        store.find("zz")


def test_a_corrupt_store_is_left_alone_and_explained(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    path.write_bytes(b"this is no database at all, not even a short one" * 40)
    with pytest.raises(StoreError, match="Move the file away"):
        Store(path)
    assert path.read_bytes().startswith(b"this is no database")


def test_a_store_of_a_newer_version_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="newer tilewright"):
        Store(path)


def test_a_folder_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="--results DIR"):
        Store(tmp_path / "file" / "results" / "s.db")


def test_a_run_that_a_living_process_works_on_is_busy(tmp_path: Path) -> None:
    script = """
        import sys, time
        sys.path[:0] = sys.argv[2:]
        from pathlib import Path
        from samples import run
        from tilewright.store import Store
        Store(Path(sys.argv[1])).begin(run())
        print("stored", flush=True)
        time.sleep(60)
    """
    path = tmp_path / "s.db"
    here = Path(__file__).parent
    command = [sys.executable, "-c", textwrap.dedent(script), str(path), str(here.parents[1] / "src"), str(here)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "stored\n"
        store = Store(path)
        with pytest.raises(StoreBusy, match="being worked on"):
            store.take("r1")
        other.kill()
        other.wait()
        store.take("r1")


def test_lessons_of_one_run_can_be_left_out(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.db")
    for name in ("r1", "r2"):
        store.begin(replace(run(), id=name))
        store.learn(name, "turn 1 lessons llm", [Lesson(f"of {name}", "")])
    assert [lesson.text for _, _, lesson in store.lessons(but="r1")] == ["of r2"]


def judged(name: str, evaluation: object = None) -> Judged:
    job = Job(candidate(name), PROBLEM)
    return Judged(job, evaluation or measured(1.5), "local", "k.py", "H100", (), "2026-01-01T00:00:00Z")  # type: ignore[arg-type]


def test_an_evaluation_is_found_by_its_id_a_prefix_and_last(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.db")
    with pytest.raises(UsageError, match="holds no evaluation yet"):
        store.kept("last")
    first, second = judged("a"), judged("b")
    assert [store.keep(first), store.keep(second)] == [first.id, second.id]
    assert store.kept(first.id) == store.kept(first.id[:6]) == first and store.kept("last") == second
    with pytest.raises(UsageError, match=r"no evaluation 'zz'.*RUN/INDEX"):
        store.kept("zz")


def test_the_id_of_an_evaluation_is_that_of_its_content() -> None:
    assert judged("a").id == replace(judged("a"), when="later").id
    assert len({judged("a").id, judged("b").id, judged("a", measured(1.6)).id}) == 3


def test_a_store_of_the_first_format_keeps_its_runs_and_takes_evaluations(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    store = Store(path)
    store.begin(run())
    store.append("r1", attempt(0, measured(1.0), 0, "seed"))
    store.close()
    brought_back(path)
    again = Store(path)
    assert again.load("r1").attempts == (attempt(0, measured(1.0), 0, "seed"),)
    assert again.kept(again.keep(judged("a"))) == judged("a")
