"""What is in a file of rows already, where a command that is killed is to go on?"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

_WRITING = threading.Lock()


def stored(out: Path) -> list[dict[str, Any]]:
    """All rows. Half a line, which a killed command may have left, is cut off."""
    text = out.read_text(encoding="utf-8") if out.exists() else ""
    if text and not text.endswith("\n"):
        text = text[: text.rfind("\n") + 1]
        out.write_text(text, encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def append(out: Path, row: dict[str, Any]) -> None:
    """From any thread."""
    with _WRITING, open(out, "a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
