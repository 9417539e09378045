"""How do stores of several machines become one?

What only another store holds is added, nothing that is here is lost, and all of it happens or nothing does.

A run is its rows: how it began, its GPU, attempts, proposals, exchanges with models. Mostly one of two copies holds
all rows of the other, which then is an earlier state of it. Where each holds rows that the other lacks, the run went
on on both machines: both stay, the one that came under a name of its own. So neither the order of merges nor their
number matters, but for these names. Lessons come with their place in a run; what was edited or forgotten here stays
so. Evaluations are named by their content.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tilewright import storeformat
from tilewright.errors import StoreBusy, StoreError, UsageError
from tilewright.owner import alive, process_of
from tilewright.records.tasks import content_id
from tilewright.store import FILE, WAITING, Store

_ROWS = {
    "attempt": ("number", "candidate_id", "outcome", "record"),
    "proposal": ("place", "number", "record"),
    "asked": ("place",),
    "awaited": ("place",),
    "told": ("place", "record"),
    "interaction": ("prompt_id", "rollout_id", "record"),
    "gpu": ("record",),
    "changed": ("at", "said", "record"),
}
"""What makes up a run: by table, the columns beside `run_id`. Lessons are not among it: people edit them; nor are
verdicts of gates and answers of evaluators that no attempt holds yet."""
_EVALUATION = ("id", "candidate_id", "problem_id", "outcome", "at", "record")


@dataclass(frozen=True)
class Merged:
    """What came: runs that are new here, runs that had gone on elsewhere, and (name there, name here) of those that
    had gone on in both places; how many evaluations and lessons; which of these runs wait for answers or a GPU."""

    runs: tuple[str, ...]
    continued: tuple[str, ...]
    diverged: tuple[tuple[str, str], ...]
    evaluations: int
    lessons: int
    waiting: tuple[str, ...]

    @property
    def nothing(self) -> bool:
        return not (self.runs or self.continued or self.diverged or self.evaluations or self.lessons)


def merge(results: Path, others: Sequence[Path]) -> Merged:
    """Bring what `others` (stores, or folders of results) hold into the store of `results`, which is made where there
    is none. The others are only read.

    Raises `UsageError` for what is no store, `StoreError` for one of a newer format, and `StoreBusy` where a run that
    went on elsewhere is being worked on here.
    """
    with tempfile.TemporaryDirectory(prefix="tilewright-merge-") as folder:
        copies = [Path(folder) / f"{number}.db" for number in range(len(others))]
        for other, copy in zip(others, copies):
            _copy(other / FILE if other.is_dir() else other, copy)
        here = results / FILE
        Store(here).close()  # makes it, or brings it up to this format
        with _writing(here) as db:
            merging = _Merging(db)
            for copy in copies:
                with closing(sqlite3.connect(copy)) as other_db:
                    merging.take_all(other_db)
            return merging.merged()


def _copy(store: Path, copy: Path) -> None:
    """As it is at this moment, in this format; runs may be going on there."""
    if not store.is_file():
        raise UsageError(f"{store}: no such store. Give the {FILE} of another folder of results, or that folder.")
    try:
        with closing(sqlite3.connect(f"{store.resolve().as_uri()}?mode=ro", uri=True)) as other:
            version = storeformat.version_of(other, store, "Update tilewright here, then merge. Nothing was merged.")
            tables = {row[0] for row in other.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if version == 0 or "run" not in tables:
                raise UsageError(f"{store}: an SQLite file, but no store of tilewright. Nothing was merged.")
            with closing(sqlite3.connect(copy)) as target:
                other.backup(target)
    except sqlite3.Error as error:
        raise StoreError(f"{store}: can't be read: {error}. Nothing was merged.") from error
    Store(copy).close()  # an older format is brought up to this one


@contextmanager
def _writing(store: Path) -> Iterator[sqlite3.Connection]:
    """One transaction."""
    try:
        with closing(sqlite3.connect(store, timeout=30, isolation_level=None)) as db:
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")  # closing without it, or a kill, leaves the store as it was
    except sqlite3.Error as error:
        raise StoreError(f"{store}: {error}. Nothing was merged; try again when that is mended.") from error


@dataclass(frozen=True)
class _Stored:
    """A run as it is stored. `begin` is its record without its id, `state` is (seconds, stop reason, detail)."""

    id: str
    begin: str
    state: tuple[float, str, str]
    owner: str
    rows: Counter[tuple[object, ...]]
    """(table, then the columns of `_ROWS`)"""

    def within(self, other: _Stored) -> bool:
        """Whether the other is this run, no earlier. With the same rows the later end counts."""
        if self.begin != other.begin or not self.rows <= other.rows:
            return False
        return self.rows != other.rows or self.state <= other.state


class _Merging:
    """Takes other stores into `db`, within the transaction of its caller."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._new: list[str] = []
        self._continued: list[str] = []
        self._diverged: list[tuple[str, str]] = []
        self._before = self._counts()

    def take_all(self, other: sqlite3.Connection) -> None:
        for (run_id,) in other.execute("SELECT id FROM run ORDER BY rowid").fetchall():
            self._take(other, run_id)
        marks = ", ".join("?" for _ in _EVALUATION)
        columns = ", ".join(_EVALUATION)
        self._db.executemany(
            f"INSERT INTO evaluation ({columns}) VALUES ({marks}) ON CONFLICT (id) DO UPDATE SET "
            "at = excluded.at, record = excluded.record WHERE (excluded.at, excluded.record) > (at, record)",
            other.execute(f"SELECT {columns} FROM evaluation ORDER BY rowid"),
        )

    def merged(self) -> Merged:
        evaluations, lessons = (now - before for now, before in zip(self._counts(), self._before))
        came = {*self._new, *self._continued, *(here for _, here in self._diverged)}
        waiting = self._db.execute(WAITING)
        return Merged(
            runs=tuple(self._new),
            continued=tuple(dict.fromkeys(run for run in self._continued if run not in self._new)),
            diverged=tuple(self._diverged),
            evaluations=evaluations,
            lessons=lessons,
            waiting=tuple(row[0] for row in waiting if row[0] in came),
        )

    def _counts(self) -> tuple[int, int]:
        tables = ("evaluation", "lesson")
        evaluations, lessons = (self._db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables)
        return evaluations, lessons

    def _take(self, other: sqlite3.Connection, run_id: str) -> None:
        theirs = _read(other, run_id)
        original = run_id.partition("-")[0]
        family = [_read(self._db, name) for name in self._family(original)]
        if any(theirs.within(mine) for mine in family):
            return
        lessons = _lessons(other, run_id)
        for mine in family:
            if mine.within(theirs):
                known = {row[1] for row in mine.rows if row[0] == "asked"}
                self._replace(mine, theirs)
                self._add_lessons(mine.id, [lesson for lesson in lessons if lesson[0] not in known])
                self._continued.append(mine.id)
                return
        name = run_id
        if family:
            if name in {mine.id for mine in family}:
                name = f"{original}-{content_id(theirs.begin, *theirs.rows.items())[:8]}"
            self._diverged.append((run_id, name))
            there = {lesson for mine in family for lesson in _lessons(self._db, mine.id)}
            lessons = [lesson for lesson in lessons if lesson not in there]
        else:
            self._new.append(run_id)
        self._add(name, theirs)
        self._add_lessons(name, lessons)

    def _family(self, original: str) -> list[str]:
        """The run of that id, and those that went on from it elsewhere: their ids begin with it and a dash."""
        rows = self._db.execute(
            "SELECT id FROM run WHERE id = ? OR substr(id, 1, ?) = ? ORDER BY rowid",
            (original, len(original) + 1, f"{original}-"),
        )
        return [row[0] for row in rows]

    def _add(self, name: str, run: _Stored) -> None:
        record = json.loads(run.begin)
        seconds, reason, detail = run.state
        self._db.execute(
            "INSERT INTO run (id, kernel_path, started, record, stop_reason, stop_detail, seconds) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                name,
                record["kernel_path"],
                record["started"],
                json.dumps({**record, "id": name}, ensure_ascii=False),
                reason,
                detail,
                seconds,
            ),
        )
        self._add_rows(name, run)

    def _replace(self, mine: _Stored, theirs: _Stored) -> None:
        if mine.owner and alive(mine.owner):
            raise StoreBusy(
                f"run {mine.id} went on elsewhere, and process {process_of(mine.owner)} works on it here. "
                "Merge when that has ended. Nothing was merged."
            )
        seconds, reason, detail = theirs.state
        self._db.execute(
            "UPDATE run SET stop_reason = ?, stop_detail = ?, seconds = ?, owner = '' WHERE id = ?",
            (reason, detail, seconds, mine.id),
        )
        for table in (*_ROWS, "verdict", "answer"):
            self._db.execute(f"DELETE FROM {table} WHERE run_id = ?", (mine.id,))
        self._add_rows(mine.id, theirs)

    def _add_rows(self, name: str, run: _Stored) -> None:
        for table, *values in run.rows.elements():
            columns = ("run_id", *_ROWS[str(table)])
            marks = ", ".join("?" for _ in columns)
            self._db.execute(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", (name, *values))

    def _add_lessons(self, name: str, lessons: Sequence[tuple[str, str]]) -> None:
        rows = [(name, *lesson) for lesson in lessons]
        self._db.executemany("INSERT INTO lesson (run_id, place, record) VALUES (?, ?, ?)", rows)


def _read(db: sqlite3.Connection, run_id: str) -> _Stored:
    record, reason, detail, seconds, owner = db.execute(
        "SELECT record, stop_reason, stop_detail, seconds, owner FROM run WHERE id = ?", (run_id,)
    ).fetchone()
    rows = (
        (table, *row)
        for table, columns in _ROWS.items()
        for row in db.execute(f"SELECT {', '.join(columns)} FROM {table} WHERE run_id = ? ORDER BY rowid", (run_id,))
    )
    begin = json.dumps({**json.loads(record), "id": ""}, ensure_ascii=False)
    return _Stored(run_id, begin, (seconds, reason, detail), owner, Counter(rows))


def _lessons(db: sqlite3.Connection, run_id: str) -> list[tuple[str, str]]:
    return db.execute("SELECT place, record FROM lesson WHERE run_id = ? ORDER BY id", (run_id,)).fetchall()
