"""How good an attempt is, and whether it beats another.

Measured and estimated attempts are never compared with each other: a run's scale is that of its seed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tilewright.records import Attempt, Clock, Estimated, Evaluation, Measured, Measurement, Run, WorkloadTiming

Kind = Literal["measured", "estimated"]
MIN_ESTIMATED_GAIN = 0.01
"""An estimate has no interval to speak of, so a gain below this share isn't one."""
AT_LIMIT = 1.1
"""From 1 up to here a share of the limit says no more than that the limit is reached: it rests on rates that a probe
found. Further above it is no limit for that kernel."""


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


@dataclass(frozen=True)
class Versus:
    """A candidate against one baseline by one clock, over all workloads: the weighted geometric mean."""

    baseline: str
    clock: Clock
    ratio: float
    low: float
    high: float


def against(measurement: Measurement) -> list[Versus]:
    """The headline, then the other baselines and the latency clock in the order they were taken."""
    groups: dict[tuple[str, Clock], list[WorkloadTiming]] = {}
    for comparison in measurement.comparisons:
        groups.setdefault((comparison.baseline, comparison.clock), []).append(comparison.timing)
    headline = Versus(measurement.baseline, "device", measurement.speedup_ratio, measurement.low, measurement.high)
    others = [
        Versus(baseline, clock, *mean_interval([(t.weight, t.ratio, t.low, t.high) for t in timings]))
        for (baseline, clock), timings in groups.items()
        if (baseline, clock) != (headline.baseline, "device")
    ]
    return [headline, *others]


def over(measurement: Measurement, baseline: str, clock: Clock = "device") -> Versus | None:
    """Against the baseline of that name, where it was measured."""
    return next((v for v in against(measurement) if v.baseline == baseline and v.clock == clock), None)


def mean_interval(parts: Sequence[tuple[float, float, float, float]]) -> tuple[float, float, float]:
    """(mean, low, high) of independent (weight, ratio, low, high): the widths of the logarithms add in quadrature."""
    total = sum(weight for weight, *_ in parts)
    mean = sum(weight * math.log(ratio) for weight, ratio, *_ in parts) / total
    below = math.sqrt(sum((w / total * math.log(ratio / low)) ** 2 for w, ratio, low, _ in parts))
    above = math.sqrt(sum((w / total * math.log(high / ratio)) ** 2 for w, ratio, _, high in parts))
    return math.exp(mean), math.exp(mean - below), math.exp(mean + above)


def keep(run: Run, attempt: Attempt) -> bool:
    """Whether `attempt` beats the best of the attempts before it.

    Measured: the low end of its interval lies above the best's ratio, and no workload is slower than the
    seed beyond noise; never where something speaks against the number (trust C). Estimated: its expected time is
    lower.
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
    """(seed, best, best over seed) where both have a score; the last is measured, else a ratio of scores."""
    holder = best(run)
    first, last = score(run.attempts[0].evaluation) if run.attempts else None, None
    if holder is not None:
        last = score(holder.evaluation)
    if holder is None or first is None or last is None or first.kind != last.kind:
        return None
    paired = over_seed(holder)
    return run.attempts[0], holder, paired.ratio if paired else last.value / first.value


def over_seed(attempt: Attempt) -> Versus | None:
    """The attempt against the kernel that its run began with, where the two were timed in pairs."""
    measurement = _measurement(attempt)
    return over(measurement, "seed") if measurement else None


def doubtful(attempt: Attempt) -> bool:
    """Whether something speaks against what was measured."""
    measurement = _measurement(attempt)
    return measurement is not None and measurement.trust == "C"


def _beats(attempt: Attempt, holder: Attempt | None, run: Run) -> bool:
    mine = score(attempt.evaluation)
    if mine is None:
        return False
    measurement = _measurement(attempt)
    if measurement is not None and measurement.stopped_early:
        return False
    if (
        doubtful(attempt) and attempt.index != run.attempts[0].index
    ):  # of the seed nothing is claimed: it is what to beat
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
