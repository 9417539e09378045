"""A report put into a file."""

from __future__ import annotations

from pathlib import Path

from tilewright.errors import StoreError


def write(path: Path, text: str, otherwise: str) -> None:
    """What is there is replaced. `StoreError` where that fails, with what to type `otherwise`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="replace")  # a model may have said half a character
    except OSError as error:
        raise StoreError(f"{path} can't be written: {error.strerror}. Choose another: {otherwise}") from error
