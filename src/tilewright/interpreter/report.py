"""What does an interpreted run say: what was executed, what looked wrong, why it stopped?"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """Something that is suspicious, but not surely wrong. `rule` is a stable kebab-case id."""

    rule: str
    message: str
    buffer: str
    line: int | None = None


@dataclass(frozen=True)
class Report:
    """`blocks_total` counts the thread blocks of all launches of the function; `seconds` is wall time."""

    blocks_run: int
    blocks_total: int
    warnings: tuple[Problem, ...]
    seconds: float


class Fault(Exception):
    """The kernel does something that is certainly wrong; `line` is the source line where TileLang recorded
    one."""

    def __init__(self, rule: str, message: str, line: int | None = None) -> None:
        super().__init__(message if line is None else f"line {line}: {message}")
        self.rule = rule
        self.message = message
        self.line = line


class Unsupported(Exception):
    """The interpreter does not know this construct: nothing is said about the kernel."""


class DeadlineExceeded(Exception):
    """The run took longer than the caller allows: nothing is said about the kernel."""
