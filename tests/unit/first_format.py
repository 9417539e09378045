"""A store as the first version of its format left it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

_TABLES = {"run", "attempt", "proposal", "asked"}


def brought_back(path: Path) -> None:
    """Without all that later versions added. The records stay as they are."""
    with closing(sqlite3.connect(path)) as db:
        present = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert present > _TABLES
        for table in present - _TABLES:
            db.execute(f"DROP TABLE {table}")
        db.execute("PRAGMA user_version = 1")
        db.commit()
