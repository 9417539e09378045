"""Which tables does a store's file hold, and which files can this tilewright read?"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from tilewright.errors import StoreError

_SCHEMA = (
    """
CREATE TABLE run (
    id TEXT PRIMARY KEY,
    kernel_path TEXT NOT NULL,
    started TEXT NOT NULL,
    record TEXT NOT NULL CHECK (json_valid(record)),
    stop_reason TEXT NOT NULL DEFAULT '',
    stop_detail TEXT NOT NULL DEFAULT '',
    seconds REAL NOT NULL DEFAULT 0,
    owner TEXT NOT NULL DEFAULT ''
);
CREATE TABLE attempt (
    run_id TEXT NOT NULL REFERENCES run(id),
    number INTEGER NOT NULL,
    candidate_id TEXT NOT NULL,
    outcome TEXT NOT NULL,
    record TEXT NOT NULL CHECK (json_valid(record)),
    PRIMARY KEY (run_id, number),
    UNIQUE (run_id, candidate_id)
);
CREATE TABLE proposal (
    run_id TEXT NOT NULL REFERENCES run(id),
    place TEXT NOT NULL,
    number INTEGER NOT NULL,
    record TEXT NOT NULL CHECK (json_valid(record)),
    PRIMARY KEY (run_id, place, number)
);
CREATE TABLE asked (
    run_id TEXT NOT NULL REFERENCES run(id),
    place TEXT NOT NULL,
    PRIMARY KEY (run_id, place)
);
""",
    """
CREATE TABLE evaluation (
    id TEXT PRIMARY KEY,
    candidate_id TEXT NOT NULL,
    problem_id TEXT NOT NULL,
    outcome TEXT NOT NULL,
    at TEXT NOT NULL,
    record TEXT NOT NULL CHECK (json_valid(record))
);
""",
    """
CREATE TABLE interaction (
    run_id TEXT NOT NULL REFERENCES run(id),
    prompt_id TEXT NOT NULL,
    rollout_id INTEGER NOT NULL,
    record TEXT NOT NULL CHECK (json_valid(record))
);
CREATE INDEX interaction_of_run ON interaction (run_id, prompt_id);
CREATE TABLE told (
    run_id TEXT NOT NULL REFERENCES run(id),
    place TEXT NOT NULL,
    record TEXT NOT NULL CHECK (json_valid(record)),
    PRIMARY KEY (run_id, place)
);
CREATE TABLE lesson (
    id INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES run(id),
    place TEXT NOT NULL,
    record TEXT NOT NULL CHECK (json_valid(record))
);
""",
    """
CREATE TABLE gpu (
    run_id TEXT PRIMARY KEY REFERENCES run(id),
    record TEXT NOT NULL CHECK (json_valid(record))
);
CREATE TABLE verdict (
    run_id TEXT NOT NULL REFERENCES run(id),
    candidate_id TEXT NOT NULL,
    gates TEXT NOT NULL,
    record TEXT NOT NULL CHECK (json_valid(record)),
    PRIMARY KEY (run_id, candidate_id)
);
""",
    """
CREATE TABLE awaited (
    run_id TEXT NOT NULL REFERENCES run(id),
    place TEXT NOT NULL,
    PRIMARY KEY (run_id, place)
);
""",
    """
CREATE TABLE changed (
    run_id TEXT NOT NULL REFERENCES run(id),
    at TEXT NOT NULL,
    said TEXT NOT NULL,
    record TEXT NOT NULL CHECK (json_valid(record))
);
""",
    """
CREATE TABLE answer (
    run_id TEXT NOT NULL REFERENCES run(id),
    candidate_id TEXT NOT NULL,
    job TEXT NOT NULL,
    record TEXT NOT NULL CHECK (json_valid(record)),
    PRIMARY KEY (run_id, candidate_id, job)
);
""",
)
"""What each version of the format added to the one before it."""
VERSION = len(_SCHEMA)


ADVICE = "Update tilewright, or use another folder: --results DIR"


def version_of(db: sqlite3.Connection, path: Path, advice: str = ADVICE) -> int:
    """The format of the file at `path`; 0 without tables. Raises `StoreError` with `advice` for a newer one."""
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > VERSION:
        raise StoreError(
            f"{path} was written by a newer tilewright (format {version}, this one knows {VERSION}). {advice}"
        )
    return version


def statements_since(version: int) -> Iterator[str]:
    """What brings a file of that format up to this one."""
    for added in _SCHEMA[version:]:
        yield from (statement for statement in added.split(";\n") if statement.strip())
