"""Which kernels is a batch to work on?"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from tilewright.errors import KernelNotFound, UsageError
from tilewright.kernelfile import find_kernel
from tilewright.listing import Listed, list_kernels

_AS_LISTED = re.compile(r"(?:📉\s+\S+\s+|\s*\S+\s+(?:SLOW|MODERATE|GOOD|UNMEASURED)\s+)(?P<rest>.+)")
"""A line of `tilewright list`, with --slow or without, up to the path."""
_AFTER_PATH = re.compile(r"\s+(?:(?:SLOW|MODERATE|GOOD|UNMEASURED)\s.*|(?<=\.py\s)\S.*)$")


@dataclass(frozen=True)
class Chosen:
    """Paths or names of kernels in order, each once, and how many were left out because they aren't slow."""

    kernels: tuple[str, ...]
    fast: int = 0
    superseded: int = 0


def chosen(sources: Sequence[str], threshold: float, standard_input: TextIO) -> Chosen:
    """Kernels of folders that are below the threshold or not measured, and all that lists name.

    A source is a folder, a kernel file or its name in the corpus, or a list: what `tilewright list` printed, with
    --json or without, or a path a line; `-` is standard input. Nobody looks into the kernel files yet but for the
    speedups that those of folders carry.
    """
    found: dict[str, None] = {}
    fast = superseded = 0
    for source in sources:
        if Path(source).is_dir():
            kernels = list_kernels(Path(source))
            superseded += sum(kernel.superseded for kernel in kernels)
            slow = [kernel for kernel in kernels if not kernel.superseded and _is_slow(kernel, threshold)]
            fast += sum(not kernel.superseded for kernel in kernels) - len(slow)
            found |= dict.fromkeys(str(kernel.path) for kernel in slow)
        else:
            found |= dict.fromkeys(_named(source, standard_input))
    return Chosen(tuple(found), fast, superseded)


def _is_slow(kernel: Listed, threshold: float) -> bool:
    return kernel.speedup_ratio is None or kernel.speedup_ratio < threshold


def _named(source: str, standard_input: TextIO) -> list[str]:
    if source == "-":
        return list(_listed(standard_input, "standard input"))
    if source.endswith((".py", ".toml")) or not Path(source).is_file():
        return [_where(source)]
    try:
        with open(source, encoding="utf-8") as lines:
            return list(_listed(lines, source))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the list {source} can't be read: {error}") from error


def _listed(lines: Iterable[str], source: str) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if text.startswith("{"):
            yield _of_json(text, f"{source}, line {number}")
        elif text and not text.startswith("#"):
            as_listed = _AS_LISTED.fullmatch(line.rstrip())
            yield _where(_AFTER_PATH.sub("", as_listed["rest"]) if as_listed else text)


def _of_json(text: str, where: str) -> str:
    try:
        return _where(str(json.loads(text)["kernel"]))
    except (ValueError, KeyError) as error:
        raise UsageError(f"{where}: no object with a kernel, as `tilewright list --json` prints them") from error


def _where(name: str) -> str:
    """A name in the corpus as its path; what isn't there is kept, for the summary to say so."""
    try:
        return str(find_kernel(name))
    except KernelNotFound:
        return name
