"""A run on the screen: what is tried, why, what became of it, and below how it stands. Plain lines where piped."""

from __future__ import annotations

import atexit
import time
from collections.abc import Callable, Mapping
from functools import partial

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.text import Text

from tilewright.records import Attempt, Candidate, Measured, Run, Wrong
from tilewright.report import words
from tilewright.report.measured import details, over_seed_text
from tilewright.report.status import Limits, status
from tilewright.scores import best, gain, score

ShareReached = Callable[[Attempt, str], "float | None"]
"""Of what a GPU (by its name) allows the problem, the share that an attempt reached; None where that isn't known."""


class TerminalWatcher:
    """Writes to `console` (standard error, so that standard output carries results alone).

    With `limits_of` a terminal shows below its lines what is under way and how much of them is left.
    """

    def __init__(
        self,
        console: Console,
        verbose: bool = False,
        share_reached: ShareReached | None = None,
        limits_of: Callable[[Run], Limits] | None = None,
    ) -> None:
        self._console, self._verbose, self._share_reached = console, verbose, share_reached
        self._limits_of = limits_of
        self._live: Live | None = None
        self._stages: Mapping[str, int] = {}
        self._run: Run | None = None
        self._first: tuple[float, int] | None = None
        self._clock = time.monotonic()
        self._shown: tuple[int, str] | None = None
        self._best: int | None = None
        self._so_far = ""

    def started(self, run: Run) -> None:
        self._say(f"[bold]tilewright[/] {escape(run.kernel_path)}  problem {escape(run.problem.name)}  run {run.id}")
        for note in run.notes:
            self._say(f"  {escape(note)}")
        self._close()
        self._clock, self._run, self._first, self._stages = time.monotonic(), run, None, {}
        if self._limits_of is not None and self._console.is_terminal and not self._console.is_dumb_terminal:
            self._say(f"  Ctrl-C stops it and loses nothing; to go on: tilewright resume {run.id}")
            self._live = Live(
                get_renderable=partial(self._status, self._limits_of(run)),
                console=self._console,
                refresh_per_second=2,
                transient=True,
                redirect_stdout=False,
            )
            atexit.register(self._close)  # an error may end the run in between: the cursor is to be seen again
            self._live.start()

    def under_way(self, stages: Mapping[str, int]) -> None:
        self._stages = stages

    def trying(self, candidate: Candidate, phase: str, turn: int) -> None:
        if self._shown != (turn, phase):
            self._shown = (turn, phase)
            titles = {"seed": "the kernel as it is", "structure": "structure changes", "knobs": "knob search"}
            self._say(f"[bold]{f'turn {turn}: ' if turn else ''}{titles[phase]}[/]{self._so_far}")

    def tried(self, run: Run, attempt: Attempt) -> None:
        holder = best(run)
        is_new_best = holder is not None and holder.index == attempt.index and attempt.index != self._best
        self._first = self._first or (time.monotonic(), len(run.attempts))
        self._run = run
        mark = "[green]best[/] " if is_new_best and attempt.phase != "seed" else ""
        self._best = holder.index if holder else None
        spent = f"{len(run.attempts)} evaluated, {time.monotonic() - self._clock:.0f} s"
        self._so_far = f"  (best so far {escape(words.outcome(holder.evaluation))}; {spent})" if holder else ""
        offset = run.line_offset if attempt.phase == "seed" else 0
        share = self._share_reached(attempt, run.gpu) if self._share_reached else None
        text = "wrong" if _ends(run, attempt) else words.attempted(attempt, offset, share)
        what = "" if attempt.phase == "seed" else f"{words.hypothesis(attempt).rstrip('.')}: "
        self._say(f"  #{attempt.index:<3} {escape(what)}{mark}{escape(text)}")
        measurement = attempt.evaluation.measurement if isinstance(attempt.evaluation, Measured) else None
        if measurement and (is_new_best or self._verbose or measurement.trust == "C"):
            for line in details(measurement):
                self._say(f"       {escape(line)}")
        if attempt.phase == "seed" or (is_new_best and attempt.phase == "structure") or self._verbose:
            for number, finding in enumerate(attempt.findings[: 8 if self._verbose else 3], 1):
                self._say(f"       {number}. {escape(words.finding(finding, offset))}")
                self._say(f"          {escape(finding.action)}")
        for reason in attempt.evidence.warnings if self._verbose else ():
            self._say(f"       warning: {escape(reason.message)}")

    def note(self, message: str) -> None:
        self._say(f"  {escape(message)}")

    def stopped(self, run: Run) -> None:
        self._close()
        tried = len(run.attempts) - 1
        detail = "" if run.stop_reason == "seed_wrong" else f" ({escape(run.stop_detail)})"
        spent = f"{max(tried, 0)} candidates, {time.monotonic() - self._clock:.0f} s"
        self._say(f"[bold]stopped[/]: {run.stop_reason}{detail} after {spent}")

    def _say(self, markup: str) -> None:
        self._console.print(markup, highlight=False, soft_wrap=True)

    def _status(self, limits: Limits) -> Text:
        run, now = self._run, time.monotonic()
        if run is None:
            return Text()
        elapsed_s = run.seconds + now - self._clock
        return Text(
            status(run, self._stages, limits, elapsed_s, self._each_s(run, now)),
            style="dim",
            no_wrap=True,
            overflow="ellipsis",
        )

    def _each_s(self, run: Run, now: float) -> float | None:
        """What a candidate took since the first of this process, for which much had to be begun."""
        since, known = self._first or (now, len(run.attempts))
        tried = len(run.attempts) - known
        return (now - since) / tried if tried else None

    def _close(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


class QuietWatcher:
    """Shows nothing."""

    def started(self, run: Run) -> None: ...

    def trying(self, candidate: Candidate, phase: str, turn: int) -> None: ...

    def tried(self, run: Run, attempt: Attempt) -> None: ...

    def note(self, message: str) -> None: ...

    def stopped(self, run: Run) -> None: ...


def result_line(run: Run, path: str | None, share_reached: float | None = None, explained: bool = False) -> str:
    """The one line that `--quiet` leaves. `share_reached` is the best attempt's, of what the GPU allows; `explained`:
    another line says why there is no result."""
    holder = gain(run)
    where = f"{f' -> {path}' if path else ''}{_end(run)}"
    if holder and share_reached is not None:
        where = f"; {words.of_limit(share_reached, not isinstance(holder[1].evaluation, Measured))}{where}"
    if holder is None and run.stop_reason.startswith("awaiting"):
        return f"{run.kernel_path}: no result yet ({run.stop_reason})"
    if holder is None:
        return f"{run.kernel_path}: no result ({run.stop_reason}{'' if explained else f': {run.stop_detail}'})"
    seed, top, ratio = holder
    value = score(top.evaluation)
    if value is None or not isinstance(top.evaluation, Measured):
        return f"{run.kernel_path}: est. {ratio:.2f}x of the kernel it began with (estimated, not measured){where}"
    first = score(seed.evaluation)
    before = f"{first.value:.3f}x" if first else "?"
    paired = over_seed_text(top.evaluation.measurement)
    grown = f"; {paired}" if paired else ""
    return f"{run.kernel_path}: {before} -> {words.outcome(top.evaluation)}{grown}{where}"


def _ends(run: Run, attempt: Attempt) -> bool:
    """Whether the run ends with a seed that is wrong: what is wrong with it is told at the end then."""
    to_be_mended = ("repair", "true") in run.settings
    return attempt.phase == "seed" and isinstance(attempt.evaluation, Wrong) and not to_be_mended


def _end(run: Run) -> str:
    """Why the run stopped. What it waits for may be long, and is said by itself."""
    if run.stop_reason.startswith("awaiting"):
        return f"; waits: {run.stop_reason}"
    return f"; stopped: {run.stop_reason} ({run.stop_detail})" if run.stop_reason else ""
