"""Do stored numbers follow from the raw pairs beside them?"""

from __future__ import annotations

import math
from typing import Any

from tilewright import jsonform
from tilewright.records import Evaluation, Measured, Measurement
from tilewright.scores import mean_interval
from tilewright.worker.timing.intervals import median_interval

TOLERANCE = 1e-6


def evaluation(plain: Any) -> Evaluation:
    """A stored evaluation. Raises `ValueError` where a ratio isn't the median of its own pairs."""
    found: Evaluation = jsonform.from_plain(Evaluation, plain)
    if isinstance(found, Measured):
        _recompute(found.measurement)
    return found


def same(stored: float, computed: float, what: str, tolerance: float = TOLERANCE) -> None:
    """Raises `ValueError` where they differ."""
    if not math.isclose(stored, computed, rel_tol=tolerance):
        raise ValueError(f"{what}: stored {stored}, the pairs give {computed}")


def _recompute(measurement: Measurement) -> None:
    parts = []
    for timing in measurement.timings:
        ratio, low, high = median_interval([baseline / candidate for candidate, baseline in timing.pairs])
        same(timing.ratio, ratio, f"ratio at {timing.workload}")
        parts.append((timing.weight, ratio, low, high))
    for comparison in measurement.comparisons:
        computed = median_interval([baseline / candidate for candidate, baseline in comparison.timing.pairs])
        same(comparison.timing.ratio, computed[0], f"ratio over {comparison.baseline} by {comparison.clock}")
    for name, stored, mean in zip(
        ("speedup_ratio", "low", "high"),
        (measurement.speedup_ratio, measurement.low, measurement.high),
        mean_interval(parts),
    ):
        same(stored, mean, name)
