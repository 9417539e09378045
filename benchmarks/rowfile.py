"""What is in a file of rows already, where a command that is killed is to go on?"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

_WRITING = threading.Lock()

Row = dict[str, Any]


def stored(out: Path) -> list[Row]:
    """All rows. Half a line, which a killed command may have left, is cut off."""
    text = out.read_text(encoding="utf-8") if out.exists() else ""
    if text and not text.endswith("\n"):
        text = text[: text.rfind("\n") + 1]
        out.write_text(text, encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def alike(out: Path, **like: Any) -> list[Row]:
    """The rows with these values."""
    return [row for row in stored(out) if all(name in row and row[name] == like[name] for name in like)]


def known(out: Path, commit: str, **like: Any) -> list[Row]:
    """Those of this commit with these values, which need not be found again; says how many there are."""
    rows = alike(out, commit=commit, **like)
    if rows:
        print(f"{len(rows)} rows of {commit} are in {out} already", flush=True)
    return rows


def begun(out: Path, commit: str, **like: Any) -> list[Row]:
    """As `known`, where a file is of one commit and these values alone: all other rows are dropped."""
    rows = known(out, commit, **like)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return rows


def append(out: Path, row: Row) -> None:
    """From any thread."""
    with _WRITING, open(out, "a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
