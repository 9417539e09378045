"""How sure is a median of pair ratios? Standard library only: published tables are recomputed with it.

The interval is the bootstrap's percentile interval, not drawn but computed: the distribution of the median of n draws
with replacement follows from the binomial one (B. Efron, "The Jackknife, the Bootstrap and Other Resampling Plans",
1982, section 10.3), so that the same pairs always give the same interval.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

CONFIDENCE = 0.95


def median_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> tuple[float, float, float]:
    """(median, low, high). With an even count the ends are those of the lower and the upper median."""
    ordered = sorted(values)
    count = len(ordered)
    if count == 0:
        raise ValueError("no values")
    tail = (1 - confidence) / 2
    low = ordered[_rank(count, (count + 1) // 2, tail) - 1]
    high = ordered[_rank(count, count // 2 + 1, 1 - tail) - 1]
    return statistics.median(ordered), low, high


def geometric_mean_interval(
    parts: Sequence[tuple[float, float, float, float]],
) -> tuple[float, float, float]:
    """(mean, low, high) of independent (weight, ratio, low, high): the widths of the logarithms add in quadrature."""
    total = sum(weight for weight, *_ in parts)
    mean = sum(weight * math.log(ratio) for weight, ratio, *_ in parts) / total
    below = math.sqrt(sum((w / total * math.log(ratio / low)) ** 2 for w, ratio, low, _ in parts))
    above = math.sqrt(sum((w / total * math.log(high / ratio)) ** 2 for w, ratio, _, high in parts))
    return math.exp(mean), math.exp(mean - below), math.exp(mean + above)


def _rank(count: int, needed: int, probability: float) -> int:
    """The smallest rank k (from 1) with P(at least `needed` of `count` draws have rank <= k) >= probability."""
    for rank in range(1, count + 1):
        if _at_least(count, needed, rank / count) >= probability:
            return rank
    return count


def _at_least(count: int, needed: int, share: float) -> float:
    if share >= 1:
        return 1.0
    return sum(
        math.comb(count, hits) * share**hits * (1 - share) ** (count - hits) for hits in range(needed, count + 1)
    )
