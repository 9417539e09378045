"""A batch on the screen while it goes on: a table that stays up to date, or a line a kernel where output is piped."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from tilewright.report import words
from tilewright.report.batch.lines import kernel_line, ratio
from tilewright.report.batch.rows import Row
from tilewright.report.status import duration

_OTHER_LINES = 5
"""Of the screen, beside rows: the table's head and what stands below it."""


class Spent(Protocol):
    """What a batch has used so far."""

    evaluations: int
    gpu_s: float

    @property
    def seconds(self) -> float: ...

    @property
    def share(self) -> float | None: ...


class BatchScreen:
    """Writes to `console` (standard error, so that standard output carries results alone). To be closed."""

    def __init__(self, console: Console, quiet: bool = False, verbose: bool = False) -> None:
        self._console, self._quiet, self._verbose = console, quiet, verbose
        self._lock = threading.Lock()
        self._rows: dict[str, Row] = {}
        self._done: set[str] = set()
        self._spent: Spent | None = None
        self._title = ""
        self._live: Live | None = None

    def began(self, name: str, rows: Sequence[Row], ended: Sequence[str], spent: Spent) -> None:
        """`ended` are the kernels that an earlier part of the batch came to an end with."""
        if self._quiet:
            return
        self._rows, self._spent, self._done = {row.kernel: row for row in rows}, spent, set(ended)
        self._title = f"batch {name}"
        left = len(rows) - len(ended)
        going_on = f", {len(ended)} of them have ended" if ended else ""
        self._console.print(
            f"[bold]tilewright[/] batch {escape(name)}: {len(rows)} kernels{going_on}. Ctrl-C stops it; to go on: "
            f"tilewright batch --resume {escape(name)}",
            highlight=False,
            soft_wrap=True,
        )
        if self._console.is_terminal and left:
            self._live = Live(get_renderable=self._table, console=self._console, refresh_per_second=2, transient=True)
            self._live.start()

    def changed(self, row: Row, ended: bool) -> None:
        if self._quiet:
            return
        with self._lock:
            self._rows[row.kernel] = row
            if not ended or row.kernel in self._done:
                return
            self._done.add(row.kernel)
        self._say(f"{len(self._done)}/{len(self._rows)} {kernel_line(row)}")

    def note(self, message: str) -> None:
        if self._verbose and not self._quiet:
            self._say(f"  {message}")

    def tell(self, message: str) -> None:
        if not self._quiet:
            self._say(message)

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _say(self, text: str) -> None:
        self._console.print(escape(text), highlight=False, soft_wrap=True)

    def _table(self) -> Table:
        """Those that are worked on first, then those that wait; what has ended is told above the table."""
        with self._lock:
            rows, spent = [row for row in self._rows.values() if row.kernel not in self._done], self._spent
            done = len(self._done)
        rows.sort(key=lambda row: row.state == "waits")
        room = max(self._console.height - _OTHER_LINES, 1)
        used = _used(spent) if spent else ""
        more = f"; {len(rows) - room} more" if len(rows) > room else ""
        table = Table(
            caption=f"{self._title}: {done} of {len(self._rows)} kernels ended; {used}{more}",
            box=None,
            pad_edge=False,
        )
        for title in ("kernel", "state"):
            table.add_column(title, no_wrap=True)
        for title in ("before", "best", "gain", "limit", "tried"):
            table.add_column(title, justify="right", no_wrap=True)
        for row in rows[:room]:
            table.add_row(*(escape(cell) for cell in _cells(row)))
        return table


def _used(spent: Spent) -> str:
    said = f"{spent.evaluations} candidates, {spent.gpu_s:.0f} GPU s, {spent.seconds:.0f} s"
    if not spent.share:
        return said
    left_s = max(spent.seconds / spent.share - spent.seconds, 0.0)
    return f"{said}; {spent.share:.0%} of the budget, at most about {duration(left_s)} left"


def _cells(row: Row) -> list[str]:
    mark = "" if row.measured else "est. "
    return [
        row.kernel,
        row.state,
        ratio(row.before),
        ratio(row.after),
        f"{mark}{row.gain:.2f}x" if row.gain is not None else "-",
        words.of_limit(row.limit, not row.measured).removesuffix(" of the limit") if row.limit is not None else "-",
        str(row.attempts),
    ]
