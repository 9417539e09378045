"""The memory of runs and evaluations: one SQLite file, written so that a kill at any moment loses nothing finished.

A row is committed before anything that depends on it happens. Readers and several runs may use the file at
the same time; one run belongs to one process at a time.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tilewright import jsonform, storeformat
from tilewright.errors import StoreBusy, StoreError, UsageError
from tilewright.hardware import Gpu
from tilewright.owner import alive, me, process_of
from tilewright.protocols import Verdict
from tilewright.records import Attempt, Candidate, Evaluation, Interaction, Judged, Lesson, Run, Told

WAITING = """
SELECT id FROM run
WHERE stop_reason LIKE 'awaiting%'
    OR stop_reason != '' AND EXISTS (
        SELECT place FROM awaited WHERE run_id = run.id EXCEPT SELECT place FROM asked WHERE run_id = run.id
    )
ORDER BY started, rowid
"""
"""Runs that wait for answers or for a GPU, and those that ended before what they taught was answered."""
FILE = "tilewright.db"
"""The store's name in a folder of results."""
RUNS_LEARNED_FROM = 100
"""The newest of a store's runs, whose gains are shown as examples."""


def stored_runs(results: Path, but: str = "") -> Iterator[Run]:
    """The newest runs in that folder, leaving one out; none where nothing was stored yet."""
    if not (results / FILE).exists():
        return
    store = Store(results / FILE)
    try:
        for run_id in store.runs()[:RUNS_LEARNED_FROM]:
            if run_id != but:
                yield store.load(run_id)
    finally:
        store.close()


def existing_store(results: Path) -> Store:
    """For reading, which leaves no empty store behind: `UsageError` where nothing was stored in that folder yet."""
    if not (results / FILE).exists():
        raise UsageError(f"{results} holds no run yet. Start one: tilewright optimize KERNEL --model none")
    return Store(results / FILE)


def as_changed(db: sqlite3.Connection, run: Run) -> Run:
    """A run with the options that it was resumed with in place of those it began with, and a note of each change."""
    rows = db.execute("SELECT at, said, record FROM changed WHERE run_id = ? ORDER BY rowid", (run.id,)).fetchall()
    settings = dict(run.settings)
    for _, _, record in rows:
        settings |= json.loads(record)
    notes = tuple(f"resumed on {at} with {said}" for at, said, _ in rows)
    return replace(run, settings=tuple(settings.items()), notes=(*run.notes, *notes))


class Store:
    """Opens `path`, making it when it isn't there. Raises `StoreError` with what to do about it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()  # several threads ask a language model, and each exchange is kept
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"can't make the folder {path.parent}: {error.strerror}. Choose another: --results DIR"
            ) from error
        with self._explained():
            self._db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._prepare()

    def close(self) -> None:
        self._db.close()

    def begin(self, run: Run) -> None:
        """Store a new run and own it."""
        record = jsonform.dumps(replace(run, attempts=()))
        with self._writing() as db:
            db.execute(
                "INSERT INTO run (id, kernel_path, started, record, owner) VALUES (?, ?, ?, ?, ?)",
                (run.id, run.kernel_path, run.started, record, me()),
            )

    def take(self, run_id: str) -> None:
        """Own an existing run, so that no other process continues it. Raises `StoreBusy`."""
        with self._writing() as db:
            owner = db.execute("SELECT owner FROM run WHERE id = ?", (run_id,)).fetchone()[0]
            if owner and owner != me() and alive(owner):
                raise StoreBusy(
                    f"run {run_id} is being worked on by process {process_of(owner)}. Wait for it, or end it first."
                )
            db.execute("UPDATE run SET owner = ?, stop_reason = '', stop_detail = '' WHERE id = ?", (me(), run_id))

    def change(self, run_id: str, at: str, said: str, settings: Sequence[tuple[str, str]]) -> None:
        """Put these of a run's `settings` in place of its own from `at` on; `said` is how they were typed."""
        with self._writing() as db:
            db.execute("INSERT INTO changed VALUES (?, ?, ?, ?)", (run_id, at, said, json.dumps(dict(settings))))

    def append(self, run_id: str, attempt: Attempt) -> None:
        """Make an attempt durable."""
        outcome = attempt.evaluation.outcome if attempt.evaluation else "abandoned"
        with self._writing() as db:
            db.execute(
                "INSERT INTO attempt VALUES (?, ?, ?, ?, ?)",
                (run_id, attempt.index, attempt.candidate.id, outcome, jsonform.dumps(attempt)),
            )
            for kept in ("verdict", "answer"):
                db.execute(
                    f"DELETE FROM {kept} WHERE run_id = ? AND candidate_id = ?", (run_id, attempt.candidate.id)
                )

    def try_again(self, run: Run) -> Run:
        """The run without the attempts at its end that the machinery failed at: their candidates have had no chance
        yet."""
        judged = max((attempt.index + 1 for attempt in run.attempts if not attempt.error), default=0)
        with self._writing() as db:
            db.execute("DELETE FROM attempt WHERE run_id = ? AND number >= ?", (run.id, judged))
        return replace(run, attempts=run.attempts[:judged])

    def remember(self, run_id: str, place: str, candidates: Sequence[Candidate]) -> None:
        """Keep what a proposer answered at `place` ("turn 2 structure rewrites"), so that it isn't asked again."""
        with self._writing() as db:
            db.execute("INSERT OR IGNORE INTO asked VALUES (?, ?)", (run_id, place))
            for number, candidate in enumerate(candidates):
                db.execute(
                    "INSERT OR IGNORE INTO proposal VALUES (?, ?, ?, ?)",
                    (run_id, place, number, jsonform.dumps(candidate)),
                )

    def remembered(self, run_id: str, place: str) -> tuple[Candidate, ...] | None:
        """What was proposed at `place`; None when nobody was asked there yet."""
        with self._explained():
            if not self._db.execute("SELECT 1 FROM asked WHERE run_id = ? AND place = ?", (run_id, place)).fetchone():
                return None
            rows = self._db.execute(
                "SELECT record FROM proposal WHERE run_id = ? AND place = ? ORDER BY number", (run_id, place)
            ).fetchall()
        return tuple(jsonform.loads(Candidate, row[0]) for row in rows)

    def keep_verdict(self, run_id: str, candidate_id: str, gates: str, verdict: Verdict) -> None:
        """Keep what gates said of a candidate until its attempt is stored. `gates` says which they are."""
        row = (run_id, candidate_id, gates, jsonform.dumps(verdict))
        with self._writing() as db:
            db.execute("INSERT OR REPLACE INTO verdict VALUES (?, ?, ?, ?)", row)

    def verdict(self, run_id: str, candidate_id: str, gates: str) -> Verdict | None:
        """What those very gates said; None where they were not asked."""
        with self._explained():
            row = self._db.execute(
                "SELECT record FROM verdict WHERE run_id = ? AND candidate_id = ? AND gates = ?",
                (run_id, candidate_id, gates),
            ).fetchone()
        return jsonform.loads(Verdict, row[0]) if row else None

    def keep_evaluation(self, run_id: str, candidate_id: str, job: str, evaluation: Evaluation) -> None:
        """Keep what an evaluator answered until the candidate's attempt is stored. `job` says what was asked."""
        row = (run_id, candidate_id, job, jsonform.dumps(evaluation))
        with self._writing() as db:
            db.execute("INSERT OR REPLACE INTO answer VALUES (?, ?, ?, ?)", row)

    def evaluation(self, run_id: str, candidate_id: str, job: str) -> Evaluation | None:
        """What was answered to that very job; None where nothing was."""
        with self._explained():
            row = self._db.execute(
                "SELECT record FROM answer WHERE run_id = ? AND candidate_id = ? AND job = ?",
                (run_id, candidate_id, job),
            ).fetchone()
        return jsonform.from_plain(Evaluation, json.loads(row[0])) if row else None

    def keep_gpu(self, run_id: str, gpu: Gpu) -> None:
        """Keep what is known of the GPU that a run is for, the first time."""
        with self._writing() as db:
            db.execute("INSERT OR IGNORE INTO gpu VALUES (?, ?)", (run_id, jsonform.dumps(gpu)))

    def gpu(self, run_id: str) -> Gpu | None:
        """As it was known when the run began; None for a run of an older tilewright."""
        with self._explained():
            row = self._db.execute("SELECT record FROM gpu WHERE run_id = ?", (run_id,)).fetchone()
        return jsonform.loads(Gpu, row[0]) if row else None

    def record(self, run_id: str, interaction: Interaction) -> None:
        """Make an exchange with a language model durable."""
        row = (run_id, interaction.prompt_id, interaction.rollout_id, jsonform.dumps(interaction))
        with self._writing() as db:
            db.execute("INSERT INTO interaction VALUES (?, ?, ?, ?)", row)

    def interactions(self, run_id: str) -> tuple[Interaction, ...]:
        """A run's exchanges with language models, in order."""
        with self._explained():
            rows = self._db.execute(
                "SELECT record FROM interaction WHERE run_id = ? ORDER BY rowid", (run_id,)
            ).fetchall()
        return tuple(jsonform.loads(Interaction, row[0]) for row in rows)

    def tell(self, run_id: str, place: str, told: Told) -> None:
        """Keep what a proposer was told at `place`, so that it is told the same when the run goes on."""
        with self._writing() as db:
            db.execute("INSERT OR IGNORE INTO told VALUES (?, ?, ?)", (run_id, place, jsonform.dumps(told)))

    def told(self, run_id: str, place: str) -> Told | None:
        with self._explained():
            row = self._db.execute(
                "SELECT record FROM told WHERE run_id = ? AND place = ?", (run_id, place)
            ).fetchone()
        return jsonform.loads(Told, row[0]) if row else None

    def learn(self, run_id: str, place: str, lessons: Sequence[Lesson]) -> None:
        """Keep what was learned at `place` of a run, so that it isn't reflected on again; the first time counts."""
        with self._writing() as db:
            new = db.execute("INSERT OR IGNORE INTO asked VALUES (?, ?)", (run_id, place)).rowcount
            for lesson in lessons if new else ():
                record = jsonform.dumps(lesson)
                db.execute("INSERT INTO lesson (run_id, place, record) VALUES (?, ?, ?)", (run_id, place, record))

    def learned(self, run_id: str, place: str) -> bool:
        """Whether somebody reflected there."""
        with self._explained():
            row = self._db.execute("SELECT 1 FROM asked WHERE run_id = ? AND place = ?", (run_id, place)).fetchone()
        return row is not None

    def await_lessons(self, run_id: str, place: str) -> None:
        """Keep that whoever reflects there was asked and hasn't answered yet."""
        with self._writing() as db:
            db.execute("INSERT OR IGNORE INTO awaited VALUES (?, ?)", (run_id, place))

    def awaited_lessons(self, run_id: str) -> tuple[str, ...]:
        """The places of a run where somebody was asked what was learned, and hasn't answered yet."""
        with self._explained():
            rows = self._db.execute(
                "SELECT place FROM awaited WHERE run_id = ? EXCEPT SELECT place FROM asked WHERE run_id = ?",
                (run_id, run_id),
            ).fetchall()
        return tuple(row[0] for row in rows)

    def lessons(self, but: str = "") -> tuple[tuple[int, str, Lesson], ...]:
        """All lessons as (id, run, lesson), the newest first, leaving one run's out."""
        with self._explained():
            rows = self._db.execute(
                "SELECT id, run_id, record FROM lesson WHERE run_id != ? ORDER BY id DESC", (but,)
            ).fetchall()
        return tuple((row[0], row[1], jsonform.loads(Lesson, row[2])) for row in rows)

    def edit_lesson(self, number: int, lesson: Lesson | None) -> None:
        """Put another in its place; None forgets it. Raises `UsageError` where there is none of that number."""
        with self._writing() as db:
            if lesson is None:
                changed = db.execute("DELETE FROM lesson WHERE id = ?", (number,)).rowcount
            else:
                record = jsonform.dumps(lesson)
                changed = db.execute("UPDATE lesson SET record = ? WHERE id = ?", (record, number)).rowcount
        if not changed:
            raise UsageError(f"no lesson {number} in {self.path}. See: tilewright lessons")

    def waiting(self) -> tuple[str, ...]:
        """Ids of the runs that wait for a model's answers or for a GPU, or whose lessons do, the oldest first."""
        with self._explained():
            return tuple(row[0] for row in self._db.execute(WAITING))

    def unfinished(self) -> tuple[tuple[str, str], ...]:
        """Runs that have not ended, the oldest first, each with its owner: "" for one that came by a merge."""
        with self._explained():
            rows = self._db.execute("SELECT id, owner FROM run WHERE stop_reason = '' ORDER BY started, rowid")
            return tuple((row[0], row[1]) for row in rows)

    def runs(self) -> tuple[str, ...]:
        """Ids of all runs, the newest first."""
        with self._explained():
            return tuple(row[0] for row in self._db.execute("SELECT id FROM run ORDER BY started DESC, rowid DESC"))

    def finish(self, run: Run) -> None:
        """Record why a run stopped, and let go of it."""
        with self._writing() as db:
            db.execute(
                "UPDATE run SET stop_reason = ?, stop_detail = ?, seconds = ?, owner = '' WHERE id = ?",
                (run.stop_reason, run.stop_detail, run.seconds, run.id),
            )

    def load(self, run_id: str) -> Run:
        with self._explained():
            row = self._db.execute(
                "SELECT record, stop_reason, stop_detail, seconds FROM run WHERE id = ?", (run_id,)
            ).fetchone()
            attempts = self._db.execute(
                "SELECT record FROM attempt WHERE run_id = ? ORDER BY number", (run_id,)
            ).fetchall()
            run = as_changed(self._db, jsonform.loads(Run, row[0]))
        return replace(
            run,
            attempts=tuple(jsonform.loads(Attempt, attempt[0]) for attempt in attempts),
            stop_reason=row[1],
            stop_detail=row[2],
            seconds=row[3],
        )

    def find(self, name: str) -> str:
        """The run that `name` means: an id, a unique prefix, a kernel path, or `last`."""
        with self._explained():
            rows = self._db.execute("SELECT id, kernel_path FROM run ORDER BY started DESC, rowid DESC").fetchall()
        if not rows:
            raise UsageError(f"{self.path} holds no run yet. Start one: tilewright optimize KERNEL --model none")
        if name == "last":
            return str(rows[0][0])
        exact = [run_id for run_id, path in rows if run_id == name]
        by_path = [run_id for run_id, path in rows if path == name or Path(path).stem == Path(name).stem]
        by_prefix = [run_id for run_id, path in rows if run_id.startswith(name)]
        if exact or by_path:
            return str((exact or by_path)[0])
        if len(by_prefix) == 1:
            return str(by_prefix[0])
        if by_prefix:
            raise UsageError(f"{name!r} begins {len(by_prefix)} runs: {', '.join(by_prefix[:5])}. Give more of it.")
        raise UsageError(f"no run {name!r} in {self.path}. The last ones: {', '.join(r[0] for r in rows[:5])}")

    def keep(self, judged: Judged) -> str:
        """Make an evaluation outside a run durable; its id."""
        row = (judged.id, judged.job.candidate.id, judged.job.problem.id, judged.evaluation.outcome, judged.when)
        with self._writing() as db:
            db.execute("INSERT OR REPLACE INTO evaluation VALUES (?, ?, ?, ?, ?, ?)", (*row, jsonform.dumps(judged)))
        return judged.id

    def kept(self, name: str) -> Judged:
        """The evaluation that `name` means: an id, a unique prefix, or `last`."""
        with self._explained():
            rows = self._db.execute("SELECT id, record FROM evaluation ORDER BY at DESC, rowid DESC").fetchall()
        if not rows:
            raise UsageError(f"{self.path} holds no evaluation yet. Make one: tilewright evaluate KERNEL")
        found = rows[:1] if name == "last" else [row for row in rows if row[0].startswith(name)]
        if len(found) == 1:
            return jsonform.loads(Judged, found[0][1])
        if found:
            ids = ", ".join(row[0] for row in found[:5])
            raise UsageError(f"{name!r} begins {len(found)} evaluations: {ids}. Give more of it.")
        ids = ", ".join(row[0] for row in rows[:5])
        raise UsageError(f"no evaluation {name!r} in {self.path} (an attempt of a run is RUN/INDEX). The last: {ids}")

    def measured(self) -> tuple[Judged, ...]:
        """The evaluations outside of runs that took times on a GPU, the oldest first."""
        with self._explained():
            rows = self._db.execute(
                "SELECT record FROM evaluation WHERE outcome = 'measured' ORDER BY at, rowid"
            ).fetchall()
        return tuple(jsonform.loads(Judged, row[0]) for row in rows)

    def _prepare(self) -> None:
        if storeformat.version_of(self._db, self.path) < storeformat.VERSION:
            with self._writing() as db:
                version = db.execute("PRAGMA user_version").fetchone()[0]  # another process may have been quicker
                for statement in storeformat.statements_since(version):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {max(version, storeformat.VERSION)}")

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._explained():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                if self._db.in_transaction:  # a full disk has rolled back already
                    self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            with self._lock:
                yield
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: {error}. {_advice(str(error))}") from error


def _advice(message: str) -> str:
    if "not a database" in message or "malformed" in message:
        return "Move the file away (nothing was changed in it) or use another folder: --results DIR"
    if "full" in message:
        return "Free some space and continue with: tilewright resume last"
    if "unable to open" in message or "readonly" in message:
        return "The folder must be writable, or choose another: --results DIR"
    if "locked" in message:
        return "Another program holds it; try again when that has ended."
    return "Nothing finished was lost; continue with: tilewright resume last"
