"""One optimisation in a process of its own: told on standard input, tells on standard output, a JSON object a line.

The first line of input says what to do; the end of input asks the run to stop, which it does like after Ctrl-C. So a
run never outlives the server that started it, and goes on from the store.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from tilewright.config import OptimizationConfig, from_pairs
from tilewright.errors import TilewrightError
from tilewright.records import Attempt, Candidate, Run
from tilewright.report import words
from tilewright.wiring import main, resume

Tell = Callable[[dict[str, Any]], None]


def work() -> int:
    told = json.loads(sys.stdin.readline())
    tell = _teller()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever the server's parent made of it
    threading.Thread(target=_stop_at_the_end_of_input, daemon=True).start()
    config = from_pairs(tuple((name, value) for name, value in told["options"]), OptimizationConfig())
    try:
        watcher = _Telling(tell)
        outcome = resume(told["resume"], config, watcher) if told["resume"] else main(config, watcher)
        tell({"event": "ended", "saved": str(outcome.saved) if outcome.saved else None})
    except TilewrightError as error:
        tell({"event": "failed", "message": str(error)})
        return error.exit_code
    except KeyboardInterrupt:
        tell({"event": "failed", "message": "stopped before it had begun"})
    return 0


class _Telling:
    """Watches a run for the server."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell

    def started(self, run: Run) -> None:
        self._tell({"event": "started", "run": run.id})

    def trying(self, candidate: Candidate, phase: str, turn: int) -> None:
        what = candidate.hypothesis or "the kernel as it is"
        self._tell(
            {"event": "doing", "text": f"trying in turn {turn}, {phase}: {what}" if turn else f"trying {what}"}
        )

    def tried(self, run: Run, attempt: Attempt) -> None:
        text = f"#{attempt.index} {words.hypothesis(attempt)}: {words.attempted(attempt)}"
        self._tell({"event": "tried", "text": text})

    def note(self, message: str) -> None:
        self._tell({"event": "doing", "text": message})

    def stopped(self, run: Run) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # what is left is to write the kernel


def _teller() -> Tell:
    """Whatever else prints to standard output goes to standard error."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def tell(event: dict[str, Any]) -> None:
        channel.write(json.dumps(event) + "\n")
        channel.flush()

    return tell


def _stop_at_the_end_of_input() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    sys.exit(work())
