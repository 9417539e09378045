"""What should be tried next, given how fast the kernel is now?

The words are in `data/guidelines.toml`; this chooses and orders them. The same arguments give the same lines.
"""

from __future__ import annotations

import functools
import importlib.resources
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tilewright.errors import ConfigError
from tilewright.hardware import load_gpu
from tilewright.records import Finding, Precision
from tilewright.scores import AT_LIMIT
from tilewright.wording import numbers

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_FINDINGS_NAMED = 3
_STUCK_AFTER = 3
_FAR = 0.25
_NEAR_LIMIT = 0.95
"""Shares of what the hardware allows; at the second the search stops by itself."""


@dataclass(frozen=True)
class Line:
    text: str
    precisions: tuple[str, ...]
    archs: tuple[str, ...]
    findings: tuple[str, ...]
    after: int


@dataclass(frozen=True)
class Tier:
    """Holds for speedups from `lowest` (inclusive) to `below` (exclusive)."""

    name: str
    lowest: float
    below: float
    heading: str
    lines: tuple[Line, ...]


def create_optimization_guidelines(
    current_speedup: float,
    iteration: int,
    *,
    precision: Precision = "fp16",
    findings: Sequence[Finding] = (),
    share_of_limit: float | None = None,
    gpu: str = "",
) -> list[str]:
    """The guidelines of the tier that the speedup falls in (below 0.5, 0.5 to 0.8, 0.8 to 1.2, 1.2 and above).

    The first line says where the kernel stands. Lines that answer a category among the `findings` come
    first, in the findings' order; the worst findings themselves are named. `share_of_limit` is the floor's time over
    the kernel's, 0 to 1: near the limit nothing more is advised, and far from it structure comes first whatever the
    speedup. Lines that would change the precision are left out where it does not permit them, and those for other
    architectures than the GPU's (`gpu` is a short name). A speedup that is no finite number of 0 or more raises
    `ValueError`.
    """
    if not 0 <= current_speedup < math.inf:
        raise ValueError(f"current_speedup is {current_speedup}: expected a finite ratio of 0 or more")
    tier = next(tier for tier in tiers() if tier.lowest <= current_speedup < tier.below)
    standing = _standing(current_speedup, tier, share_of_limit, gpu)
    if share_of_limit is not None and _NEAR_LIMIT <= share_of_limit <= AT_LIMIT:
        return [standing, _table()["near_limit"]]
    far = share_of_limit is not None and share_of_limit < _FAR and tier.lowest > 0
    categories = [finding.category for finding in findings]
    arch = _arch(gpu)
    lines = [line for line in tier.lines if _applies(line, precision, arch, iteration)]
    lines.sort(key=lambda line: _rank(line, categories))
    return [
        standing,
        *([_table()["far"]] if far else []),
        *(f"{finding.message}. {finding.action}" for finding in findings[:_FINDINGS_NAMED]),
        *(line.text for line in lines),
        *([_table()["stuck"]] if iteration >= _STUCK_AFTER else []),
    ]


@functools.cache
def tiers() -> tuple[Tier, ...]:
    return tuple(
        Tier(
            name=tier["name"],
            lowest=tier.get("from", 0.0),
            below=tier.get("below", math.inf),
            heading=tier["heading"],
            lines=tuple(
                Line(
                    text=line["text"],
                    precisions=tuple(line.get("precisions", ())),
                    archs=tuple(line.get("archs", ())),
                    findings=tuple(line.get("findings", ())),
                    after=line.get("after", 0),
                )
                for line in tier["line"]
            ),
        )
        for tier in _table()["tier"]
    )


@functools.cache
def _table() -> dict[str, Any]:
    text = importlib.resources.files("tilewright").joinpath("data/guidelines.toml").read_text(encoding="utf-8")
    table: dict[str, Any] = tomllib.loads(text)
    return table


def _applies(line: Line, precision: Precision, arch: str, iteration: int) -> bool:
    permitted = not line.precisions or precision in line.precisions
    has_it = not line.archs or not arch or arch.removesuffix("a") in line.archs
    return iteration >= line.after and permitted and has_it


def _arch(gpu: str) -> str:
    """The architecture of a GPU of a short name; "" for one that is not in the table."""
    try:
        return load_gpu(gpu).arch if gpu else ""
    except ConfigError:
        return ""


def _rank(line: Line, categories: Sequence[str]) -> int:
    """The place of the first finding that the line answers; the file's order holds among equals."""
    return min((categories.index(name) for name in line.findings if name in categories), default=len(categories))


def _standing(current_speedup: float, tier: Tier, share_of_limit: float | None, gpu: str) -> str:
    where = f" on {gpu}" if gpu else ""
    limit = f", {numbers.share(share_of_limit)} of what the hardware allows" if share_of_limit is not None else ""
    return f"{current_speedup:.3f}x{where}{limit}. {tier.heading}"
