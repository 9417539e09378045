"""A run for programs: what `tilewright report --format json` prints."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from tilewright.records import Run
from tilewright.report.history import LimitOf, history
from tilewright.report.page.account import not_verified
from tilewright.report.page.known import Known
from tilewright.report.page.shown import shows
from tilewright.scores import gain


def fields(run: Run, known: Known, limit_of: LimitOf) -> dict[str, Any]:
    """`gain` is the best's value over the first's: an estimate unless `measured`."""
    shown, found = shows(run), gain(run)
    return {
        "run": run.id,
        "kernel": run.kernel_path,
        "problem": run.problem.name,
        "gpu": run.gpu,
        "evaluator": run.evaluator,
        "started": run.started,
        "seconds": run.seconds,
        "stop_reason": run.stop_reason,
        "stop_detail": run.stop_detail,
        "measured": not shown.estimated,
        "best": shown.best.index if shown.best else None,
        "gain": found[2] if found else None,
        "not_verified": list(not_verified(shown, known)),
        "reproduce": list(known.reproduce),
        "models": [asdict(use) for use in known.models],
        "attempts": history(run, limit_of),
    }
