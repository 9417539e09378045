"""A store that others write to is read as it is now, and not more often than it changes."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "report"))
from searched import searched_run  # noqa: E402
from served import stored  # noqa: E402

from tilewright.errors import StoreError, UsageError  # noqa: E402
from tilewright.hardware import known_as, load_gpu  # noqa: E402
from tilewright.records import Interaction, Message  # noqa: E402
from tilewright.report.words import of_limit  # noqa: E402
from tilewright.reporting import known_of  # noqa: E402
from tilewright.serving.following import Following  # noqa: E402
from tilewright.serving.site import Site  # noqa: E402
from tilewright.store import FILE, Store  # noqa: E402

RUN = searched_run(12)


def test_a_store_that_is_not_there_yet_is_empty_and_is_not_made(tmp_path: Path) -> None:
    following = Following(tmp_path)
    assert following.version() is None and following.entries(5) == []
    with pytest.raises(UsageError, match="no run 'last'"):
        following.run("last")
    assert not list(tmp_path.iterdir())
    stored(tmp_path, RUN)
    assert following.version() is not None and len(following.entries(5)) == 1
    following.close()


def test_what_comes_is_read_once(tmp_path: Path) -> None:
    store = Store(tmp_path / FILE)
    store.begin(RUN)
    store.append(RUN.id, RUN.attempts[0])
    following = Following(tmp_path)
    before, first = following.version(), following.run(RUN.id)
    assert following.version() == before and first.state == "going on" and len(first.run.attempts) == 1
    store.append(RUN.id, RUN.attempts[1])
    question = Interaction("plan", "m", (Message("user", "why?"),), "because", 10, 20, 0.5, 1.0, "now")
    store.record(RUN.id, question)
    assert following.version() != before
    second = following.run(RUN.id)
    assert second.run.attempts == RUN.attempts[:2] and second.run.attempts[0] is first.run.attempts[0]
    assert second.interactions == (replace(question, messages=(), answer=""),)
    store.finish(RUN)
    assert following.run(RUN.id).state == "ended"
    assert following.entries(5)[0].stop_reason == "patience"
    store.close()
    following.close()


def test_a_run_is_shown_by_what_its_gpu_was_known_to_reach_when_it_began(tmp_path: Path) -> None:
    stored(tmp_path, RUN)
    store = Store(tmp_path / FILE)
    store.keep_gpu(RUN.id, replace(load_gpu("H100"), measured_tensor_flops=3.95e14, measured_copy_bytes_per_s=1.5e12))
    store.close()
    following = Following(tmp_path)
    followed = following.run(RUN.id)
    with known_as(followed.gpu):
        known = known_of(followed.run)
    assert known.share_reached[9] > 1.5 * known_of(followed.run).share_reached[9]
    shown = str(Site(tmp_path).run(RUN.id).parts["headline"])
    assert of_limit(known.share_reached[9], False) in shown
    following.close()


def test_an_outline_has_outcomes_without_evidence(tmp_path: Path) -> None:
    stored(tmp_path, RUN)
    following = Following(tmp_path)
    outline = following.outline(RUN.id)
    assert [one.evaluation for one in outline.attempts] == [one.evaluation for one in RUN.attempts]
    assert not any(one.evidence.facts or one.findings for one in outline.attempts)
    following.close()


def test_a_run_whose_process_ends_is_told_apart_though_nothing_was_written(tmp_path: Path) -> None:
    stored(tmp_path, RUN, ended=False)
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    db = sqlite3.connect(tmp_path / FILE)
    with db:
        db.execute("UPDATE run SET owner = ?", (f"{process.pid}@{socket.gethostname()}",))
    db.close()
    following = Following(tmp_path)
    before = following.version()
    assert following.entries(1)[0].state == "going on" and following.version() == before
    process.communicate()
    assert following.entries(1)[0].state == "killed" and following.version() != before
    following.close()


def test_a_store_that_took_the_place_of_another_is_read(tmp_path: Path) -> None:
    stored(tmp_path, RUN)
    following = Following(tmp_path)
    before = following.version()
    assert following.run(RUN.id).run.attempts
    for file in tmp_path.glob(f"{FILE}*"):
        file.rename(file.with_name(f"old_{file.name}"))
    stored(tmp_path, replace(RUN, id="another"))
    assert following.version() != before and [entry.id for entry in following.entries(5)] == ["another"]
    following.close()


def test_what_can_not_be_read_is_explained(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("no database" * 100)
    with pytest.raises(StoreError, match="can't be read: file is not a database"):
        Following(tmp_path).version()
    (tmp_path / FILE).unlink()
    stored(tmp_path, RUN)
    db = sqlite3.connect(tmp_path / FILE)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreError, match="newer tilewright"):
        Following(tmp_path).version()
