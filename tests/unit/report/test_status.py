"""The line below a run on a terminal, and that piped output has none."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console
from searched import searched_run

from samples import attempt, estimated, run
from tilewright.records import Run
from tilewright.report.status import Limits, status
from tilewright.report.terminal import TerminalWatcher

RUN = searched_run(11)
"""0.412x to 0.770x, 1.4 s of the GPU each."""


def test_it_says_what_is_under_way_the_best_the_budget_and_the_time_left() -> None:
    stages = {"evaluating": 1, "semantic": 2, "compile": 3, "queued": 4}
    said = status(RUN, stages, Limits(50), 60.0, 2.0)
    assert said == (
        "4 waiting, 3 compiling, 2 checked on the CPU, 1 measured | best 0.770x (#9) | 10 of 50 candidates | 60 s | "
        "at most about 80 s left"
    )


def test_the_limit_that_is_reached_first_is_what_is_left() -> None:
    assert "60 s of 90 s | at most about 30 s left" in status(RUN, {}, Limits(50, wall_s=90.0), 60.0, 2.0)
    assert "GPU 15 s of 23 s | at most about 11 s left" in status(RUN, {}, Limits(50, gpu_s=23.1), 60.0, 2.0)
    assert "left" not in status(RUN, {}, Limits(50), 60.0, None)


def test_estimates_are_marked() -> None:
    guessed = run(attempt(0, estimated(4.0), 0, "seed"), attempt(1, estimated(2.0)))
    said = status(replace(guessed, evaluator="offline"), {"evaluating": 1}, Limits(4), 9.0, None)
    assert said.startswith("1 estimated | best est. 2.00x of the seed (#1) | 1 of 4 candidates")
    assert status(replace(RUN, attempts=()), {"proposing": 1}, Limits(4), 9.0, None).startswith("proposing | 0 of 4")


@pytest.mark.parametrize("terminal", [True, False])
def test_only_a_terminal_has_the_line_and_is_told_of_ctrl_c(terminal: bool) -> None:
    written = io.StringIO()
    console = Console(file=written, force_terminal=terminal, width=200, legacy_windows=False)
    watcher = TerminalWatcher(console, limits_of=lambda begun: Limits(50))

    def tried(upto: int) -> Run:
        return replace(RUN, attempts=RUN.attempts[:upto])

    watcher.started(tried(0))
    watcher.under_way({"compile": 3})
    for upto in range(1, 4):
        watcher.trying(RUN.attempts[upto - 1].candidate, RUN.attempts[upto - 1].phase, 1)
        watcher.tried(tried(upto), RUN.attempts[upto - 1])
    watcher.stopped(tried(3))
    said = written.getvalue()
    assert ("3 compiling" in said) is ("tilewright resume 1122abcdef" in said) is terminal
    assert "#2" in said and "stopped" in said and ("\x1b" in said) is terminal
