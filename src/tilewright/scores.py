"""How good an attempt is, and whether it beats another.

Measured and estimated attempts are never compared with each other: a run's scale is that of its seed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from tilewright.records import Attempt, Estimated, Evaluation, Measured, Measurement, Run

Kind = Literal["measured", "estimated"]
MIN_ESTIMATED_GAIN = 0.01
"""An estimate has no interval to speak of, so a gain below this share isn't one."""


@dataclass(frozen=True)
class Score:
    """How good an attempt is; more is better. Measured: speedup over the baseline. Estimated: 1 / ms."""

    kind: Kind
    value: float
    low: float
    high: float


def score(evaluation: Evaluation | None) -> Score | None:
    """The score of an evaluation that has one."""
    if isinstance(evaluation, Measured):
        m = evaluation.measurement
        return Score("measured", m.speedup_ratio, m.low, m.high)
    if isinstance(evaluation, Estimated):
        rows = evaluation.estimate.estimates
        total = sum(row.weight for row in rows)

        def mean(values: list[float]) -> float:
            return math.exp(sum(row.weight * math.log(v) for row, v in zip(rows, values)) / total)

        return Score(
            "estimated",
            1 / mean([row.candidate_ms for row in rows]),
            1 / mean([row.high_ms for row in rows]),
            1 / mean([row.low_ms for row in rows]),
        )
    return None


def keep(run: Run, attempt: Attempt) -> bool:
    """Whether `attempt` beats the best of the attempts before it.

    Measured: the low end of its interval lies above the best's ratio, and no workload is slower than the
    seed beyond noise. Estimated: its expected time is lower.
    """
    return _beats(attempt, best(run, before=attempt.index), run)


def best(run: Run, before: int | None = None) -> Attempt | None:
    """The best attempt so far (or of those with an index below `before`)."""
    holder: Attempt | None = None
    for attempt in run.attempts:
        if before is not None and attempt.index >= before:
            continue
        if _beats(attempt, holder, run):
            holder = attempt
    return holder


def gain(run: Run) -> tuple[Attempt, Attempt, float] | None:
    """(seed, best, best over seed) where both have a score; the last is a ratio of scores."""
    holder = best(run)
    first, last = score(run.attempts[0].evaluation) if run.attempts else None, None
    if holder is not None:
        last = score(holder.evaluation)
    if holder is None or first is None or last is None or first.kind != last.kind:
        return None
    return run.attempts[0], holder, last.value / first.value


def _beats(attempt: Attempt, holder: Attempt | None, run: Run) -> bool:
    mine = score(attempt.evaluation)
    if mine is None:
        return False
    if isinstance(attempt.evaluation, Measured) and attempt.evaluation.measurement.stopped_early:
        return False
    if holder is None:
        return True
    theirs = score(holder.evaluation)
    if theirs is None or theirs.kind != mine.kind:
        return False
    if mine.kind == "estimated":
        return mine.value > theirs.value * (1 + MIN_ESTIMATED_GAIN)
    return mine.low > theirs.value and not _slower_somewhere(attempt, run.attempts[0])


def _slower_somewhere(attempt: Attempt, seed: Attempt) -> bool:
    mine, first = _measurement(attempt), _measurement(seed)
    if mine is None or first is None:
        return False
    at = {timing.workload: timing for timing in first.timings}
    return any(t.workload in at and t.high < at[t.workload].low for t in mine.timings)


def _measurement(attempt: Attempt) -> Measurement | None:
    return attempt.evaluation.measurement if isinstance(attempt.evaluation, Measured) else None
