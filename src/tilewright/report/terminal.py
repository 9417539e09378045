"""A run on the screen: what is tried, why, what became of it. Plain lines where output is piped."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console
from rich.markup import escape

from tilewright.records import Attempt, Candidate, Measured, Run
from tilewright.report import words
from tilewright.report.measured import details, over_seed_text
from tilewright.scores import best, gain, score

ShareReached = Callable[[Attempt, str], "float | None"]
"""Of what a GPU (by its name) allows the problem, the share that an attempt reached; None where that isn't known."""


class TerminalWatcher:
    """Writes to `console` (standard error, so that standard output carries results alone)."""

    def __init__(self, console: Console, verbose: bool = False, share_reached: ShareReached | None = None) -> None:
        self._console, self._verbose, self._share_reached = console, verbose, share_reached
        self._clock = time.monotonic()
        self._shown: tuple[int, str] | None = None
        self._best: int | None = None
        self._so_far = ""

    def started(self, run: Run) -> None:
        self._say(f"[bold]tilewright[/] {escape(run.kernel_path)}  problem {escape(run.problem.name)}  run {run.id}")
        for note in run.notes:
            self._say(f"  {escape(note)}")

    def trying(self, candidate: Candidate, phase: str, turn: int) -> None:
        if self._shown != (turn, phase):
            self._shown = (turn, phase)
            titles = {"seed": "the kernel as it is", "structure": "structure changes", "knobs": "knob search"}
            self._say(f"[bold]{f'turn {turn}: ' if turn else ''}{titles[phase]}[/]{self._so_far}")

    def tried(self, run: Run, attempt: Attempt) -> None:
        holder = best(run)
        is_new_best = holder is not None and holder.index == attempt.index and attempt.index != self._best
        mark = "[green]best[/] " if is_new_best and attempt.phase != "seed" else ""
        self._best = holder.index if holder else None
        spent = f"{len(run.attempts)} evaluated, {time.monotonic() - self._clock:.0f} s"
        self._so_far = f"  (best so far {escape(words.outcome(holder.evaluation))}; {spent})" if holder else ""
        offset = run.line_offset if attempt.phase == "seed" else 0
        share = self._share_reached(attempt, run.gpu) if self._share_reached else None
        text = words.attempted(attempt, offset, share)
        what = "" if attempt.phase == "seed" else f"{words.hypothesis(attempt)}: "
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
        tried = len(run.attempts) - 1
        self._say(
            f"[bold]stopped[/]: {run.stop_reason} ({escape(run.stop_detail)}) "
            f"after {max(tried, 0)} candidates, {time.monotonic() - self._clock:.0f} s"
        )

    def _say(self, markup: str) -> None:
        self._console.print(markup, highlight=False, soft_wrap=True)


class QuietWatcher:
    """Shows nothing."""

    def started(self, run: Run) -> None: ...

    def trying(self, candidate: Candidate, phase: str, turn: int) -> None: ...

    def tried(self, run: Run, attempt: Attempt) -> None: ...

    def note(self, message: str) -> None: ...

    def stopped(self, run: Run) -> None: ...


def result_line(run: Run, path: str | None, share_reached: float | None = None) -> str:
    """The one line that `--quiet` leaves. `share_reached` is the best attempt's, of what the GPU allows."""
    holder = gain(run)
    where = f" -> {path}" if path else ""
    if holder and share_reached is not None:
        where = f"; {words.of_limit(share_reached, not isinstance(holder[1].evaluation, Measured))}{where}"
    if holder is None and run.stop_reason.startswith("awaiting"):
        return f"{run.kernel_path}: no result yet ({run.stop_reason})"
    if holder is None:
        return f"{run.kernel_path}: no result ({run.stop_reason}: {run.stop_detail})"
    seed, top, ratio = holder
    value = score(top.evaluation)
    if value is None or not isinstance(top.evaluation, Measured):
        return f"{run.kernel_path}: est. {ratio:.2f}x of the kernel it began with (estimated, not measured){where}"
    first = score(seed.evaluation)
    before = f"{first.value:.3f}x" if first else "?"
    paired = over_seed_text(top.evaluation.measurement)
    grown = f"; {paired}" if paired else ""
    return f"{run.kernel_path}: {before} -> {words.outcome(top.evaluation)}{grown}{where}"
