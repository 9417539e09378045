"""What has come of a batch, by what is known of its runs?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from tilewright.analysis.limit import share_reached
from tilewright.batching.book import Batch, Place
from tilewright.kernelfile import numbers_in_name
from tilewright.lm import Budget
from tilewright.rag.operations import main_family
from tilewright.records import Run
from tilewright.report.batch import rows
from tilewright.report.batch.rows import Row, ShareReached, Summary

WAITS = "waits"


def row(run: Run, state: str, share: ShareReached = share_reached) -> Row:
    """Of a run of a batch as far as it has come."""
    return rows.row(run, state, main_family(run.problem.source, run.problem.entry_point), share)


def unseen(place: Place) -> Row:
    """Of a kernel whose run has not begun."""
    level, _ = numbers_in_name(Path(place.kernel))
    return Row(place.kernel, WAITS, level)


def summed(batch: Batch, known: Mapping[str, Row], gpus: Iterable[str], spent: Budget) -> Summary:
    """Of a batch that may go on, or was killed. `known` has the row of each run that has begun, by its id; the state
    of one that has ended is why."""
    found = {place: replace(known.get(place.run) or unseen(place), kernel=place.kernel) for place in batch.places}
    now = replace(batch, places=tuple(replace(place, stopped=one.state) for place, one in found.items()))
    shown = [replace(one, state="failed", detail=place.error) if place.error else one for place, one in found.items()]
    return Summary(
        name=batch.name,
        gpu=", ".join(dict.fromkeys(gpus)) or "no GPU yet",
        rows=tuple(shown),
        seconds=batch.seconds,
        gpu_seconds=sum(one.gpu_seconds for one in shown),
        evaluations=sum(max(one.attempts - 1, 0) for one in shown),
        usd=spent.usd,
        tokens=spent.tokens,
        ended=now.ended,
    )
