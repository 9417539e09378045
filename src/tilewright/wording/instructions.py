"""Which fixed texts is a language model given? They are `data/prompts/*.md`."""

from __future__ import annotations

import functools
import importlib.resources


@functools.cache
def instructions(name: str) -> str:
    """The text of `data/prompts/<name>.md`."""
    path = importlib.resources.files("tilewright").joinpath(f"data/prompts/{name}.md")
    return path.read_text(encoding="utf-8").strip()
