"""Which fixed texts is a language model given? They are `data/prompts/*.md`."""

from __future__ import annotations

import functools
import importlib.resources
import json
from collections.abc import Mapping

from tilewright.errors import ConfigError

COMPILED = ("analyse", "plan", "rewrite", "repair")
"""The instructions that `tilewright compile-prompts` can better, and a `--program` may replace."""


def instructions(name: str, own: Mapping[str, str] | None = None) -> str:
    """The text of `data/prompts/<name>.md`, or the one of that name in `own`."""
    return own[name] if own and name in own else _shipped(name)


@functools.cache
def _shipped(name: str) -> str:
    path = importlib.resources.files("tilewright").joinpath(f"data/prompts/{name}.md")
    return path.read_text(encoding="utf-8").strip()


def of_program(text: str, where: str) -> dict[str, str]:
    """The instructions in a file that `tilewright compile-prompts` wrote. `ConfigError` where it is none."""
    try:
        found = json.loads(text)["instructions"]
    except (ValueError, LookupError, TypeError):
        found = None
    if not isinstance(found, Mapping) or not all(isinstance(one, str) and one.strip() for one in found.values()):
        raise ConfigError(f"--program {where}: no instructions in it. Make one with: tilewright compile-prompts")
    unknown = sorted(set(found) - set(COMPILED))
    if unknown:
        raise ConfigError(f"--program {where}: unknown {', '.join(unknown)}; known: {', '.join(COMPILED)}")
    return dict(found)
