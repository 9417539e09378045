"""What is in a store that others write to, and has it changed since?"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from tilewright import jsonform, storeformat
from tilewright.errors import StoreError, UsageError
from tilewright.hardware import Gpu
from tilewright.owner import alive
from tilewright.records import Attempt, Interaction, Run
from tilewright.store import FILE, as_changed

State = Literal["going on", "ended", "killed"]
"""`killed`: it has not ended, and the process that worked on it is gone."""
_REMEMBERED = 4
"""Runs that are kept with all their attempts, so that only new ones are read: about 10 MB each, where long."""
_WITH_INTERACTIONS, _WITH_GPUS, _WITH_CHANGES = 3, 4, 6
"""The first version of the format that has them; an older store gets them when a run is next written to it."""

_ENTRIES = "SELECT id, stop_reason, owner, (SELECT count(*) FROM attempt WHERE run_id = id) FROM run "


@dataclass(frozen=True)
class Entry:
    """A run in short; another one as soon as anything of it has changed."""

    id: str
    state: State
    stop_reason: str
    attempts: int


@dataclass(frozen=True)
class Followed:
    """A run as far as it has come. Its exchanges with language models are without their texts; `gpu` is what was
    known of its GPU when it began, None for a run of an older tilewright."""

    run: Run
    interactions: tuple[Interaction, ...]
    state: State
    gpu: Gpu | None


@dataclass
class _Read:
    """What was read of a run so far."""

    attempts: list[Attempt]
    interactions: list[Interaction]
    last_interaction: int = 0


class Following:
    """Reads the store in the folder `results`, which may not be there yet, and never writes to it.

    For several threads. Raises `StoreError` where it can't be read.
    """

    def __init__(self, results: Path) -> None:
        self.path = results / FILE
        self._lock = threading.RLock()
        self._db: sqlite3.Connection | None = None
        self._inode = 0
        self._seen: tuple[int, int] | None = None
        self._owners: frozenset[str] = frozenset()
        self._runs: dict[str, _Read] = {}

    def close(self) -> None:
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    def version(self) -> Hashable:
        """Equal as long as nothing has changed. Costs some 20 us, so it can be asked for often."""
        with self._reading() as db:
            if db is None:
                return None
            seen = (self._inode, db.execute("PRAGMA data_version").fetchone()[0])
            if seen != self._seen:
                rows = db.execute("SELECT owner FROM run WHERE owner <> ''")
                self._owners, self._seen = frozenset(row[0] for row in rows), seen
            return seen, frozenset(owner for owner in self._owners if alive(owner))

    def entries(self, most: int) -> list[Entry]:
        """The newest runs first."""
        with self._reading() as db:
            if db is None:
                return []
            rows = db.execute(_ENTRIES + "ORDER BY rowid DESC LIMIT ?", (most,)).fetchall()
        return [_entry(*row) for row in rows]

    def entries_of(self, run_ids: Sequence[str]) -> list[Entry]:
        """Of those that there are."""
        with self._reading() as db:
            select = _ENTRIES + "WHERE id = ?"
            rows = [row for id_ in run_ids if db for row in db.execute(select, (id_,))]
        return [_entry(*row) for row in rows]

    def run(self, run_id: str) -> Followed:
        """`UsageError` where there is none of that id."""
        with self._reading_run(run_id) as (db, run, owner):
            read = self._runs.pop(run_id, None) or _Read([], [])
            self._runs[run_id] = read  # the last in the order of the dictionary is the last used
            if len(self._runs) > _REMEMBERED:
                del self._runs[next(iter(self._runs))]
            _read_on(db, run_id, read)
            run = replace(run, attempts=tuple(read.attempts))
            return Followed(run, tuple(read.interactions), _state(run.stop_reason, owner), _gpu(db, run_id))

    def outline(self, run_id: str) -> Run:
        """A run whose attempts are without evidence and findings, which is most of what there is to read."""
        with self._reading_run(run_id) as (db, run, _):
            rows = db.execute(
                "SELECT json_remove(record, '$.evidence', '$.findings') FROM attempt "
                "WHERE run_id = ? ORDER BY number",
                (run_id,),
            )
            return replace(run, attempts=tuple(jsonform.loads(Attempt, row[0]) for row in rows))

    def of_attempt(self, run_id: str, number: int) -> Followed:
        """A run with that attempt alone, where what came before it isn't needed."""
        with self._reading_run(run_id) as (db, run, owner):
            select = "SELECT record FROM attempt WHERE run_id = ? AND number = ?"
            rows = db.execute(select, (run_id, number)).fetchall()
            alone = replace(run, attempts=tuple(jsonform.loads(Attempt, row[0]) for row in rows))
            asked = tuple(told for _, told in _interactions(db, run_id, 0))
            return Followed(alone, asked, _state(run.stop_reason, owner), _gpu(db, run_id))

    @contextmanager
    def _reading_run(self, run_id: str) -> Iterator[tuple[sqlite3.Connection, Run, str]]:
        """The store, a run without its attempts, and who works on it."""
        with self._reading() as db:
            columns = "record, stop_reason, stop_detail, seconds, owner"
            row = db.execute(f"SELECT {columns} FROM run WHERE id = ?", (run_id,)).fetchone() if db else None
            if db is None or row is None:
                raise UsageError(f"There is no run {run_id!r} here.")
            run = jsonform.loads(Run, row[0])
            if _format(db) >= _WITH_CHANGES:
                run = as_changed(db, run)
            yield db, replace(run, stop_reason=row[1], stop_detail=row[2], seconds=row[3]), row[4]

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """The store as it is now, None where there is none; a file that took the place of another is opened anew."""
        with self._lock:
            try:
                yield self._current()
            except (sqlite3.Error, OSError) as error:
                raise StoreError(f"{self.path} can't be read: {error}") from error

    def _current(self) -> sqlite3.Connection | None:
        inode = self.path.stat().st_ino if self.path.exists() else 0
        if inode != self._inode:
            self.close()
            self._runs.clear()
            self._inode = inode
        if self._db is None and inode:
            uri = f"{self.path.resolve().as_uri()}?mode=ro"
            self._db = sqlite3.connect(uri, uri=True, timeout=10, isolation_level=None, check_same_thread=False)
        if self._db is None:
            return None
        known = storeformat.version_of(self._db, self.path)
        return self._db if known else None  # a run that begins just now is about to make its tables


def _read_on(db: sqlite3.Connection, run_id: str, read: _Read) -> None:
    """What came since; nothing that is stored of a run is changed later."""
    last = read.attempts[-1].index if read.attempts else -1
    attempts = "SELECT record FROM attempt WHERE run_id = ? AND number > ? ORDER BY number"
    read.attempts += [jsonform.loads(Attempt, row[0]) for row in db.execute(attempts, (run_id, last))]
    for number, interaction in _interactions(db, run_id, read.last_interaction):
        read.interactions.append(interaction)
        read.last_interaction = number


def _interactions(db: sqlite3.Connection, run_id: str, after: int) -> list[tuple[int, Interaction]]:
    """With their places in the store, and without their texts."""
    if _format(db) < _WITH_INTERACTIONS:
        return []
    select = (
        "SELECT rowid, json_set(record, '$.messages', json_array(), '$.answer', '') FROM interaction "
        "WHERE run_id = ? AND rowid > ? ORDER BY rowid"
    )
    rows = db.execute(select, (run_id, after)).fetchall()
    return [(number, jsonform.loads(Interaction, record)) for number, record in rows]


def _gpu(db: sqlite3.Connection, run_id: str) -> Gpu | None:
    if _format(db) < _WITH_GPUS:
        return None
    row = db.execute("SELECT record FROM gpu WHERE run_id = ?", (run_id,)).fetchone()
    return jsonform.loads(Gpu, row[0]) if row else None


def _format(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _entry(run_id: str, stop_reason: str, owner: str, attempts: int) -> Entry:
    return Entry(run_id, _state(stop_reason, owner), stop_reason, attempts)


def _state(stop_reason: str, owner: str) -> State:
    if stop_reason:
        return "ended"
    return "going on" if owner and alive(owner) else "killed"
