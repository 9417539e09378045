"""How sure is a median of pair ratios, and how sure among other processes?

Standard library only: published tables are recomputed with it.

The interval is the bootstrap's percentile interval, not drawn but computed: the distribution of the median of n draws
with replacement follows from the binomial one (B. Efron, "The Jackknife, the Bootstrap and Other Resampling Plans",
1982, section 10.3), so that the same pairs always give the same interval.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import math
import random
import statistics
from collections import Counter
from collections.abc import Sequence

CONFIDENCE = 0.95
_DRAWS = 400


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


def between_processes(
    values: Sequence[float], places: Sequence[tuple[int, int]], confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """(low, high) of the median by the bootstrap over processes instead of pairs: each kind of process is drawn with
    replacement, and a pair counts as often as its two together. `places` are the processes that a pair comes from,
    of which each crossed the other at random (A. Owen, "The pigeonhole bootstrap", 2007). Drawn with a fixed seed,
    and widened by sqrt(n / (n - 1)), by which such a bootstrap of n processes is too narrow.
    """
    crews = [sorted({place[kind] for place in places}) for kind in (0, 1)]
    fewest = min((len(crew) for crew in crews if len(crew) > 1), default=0)
    median = statistics.median(values)
    if not fewest:
        return median, median
    ordered = sorted(zip(values, places))
    chooser, medians = random.Random(0), []
    for _ in range(_DRAWS):
        left, right = (Counter(chooser.choices(crew, k=len(crew))) for crew in crews)
        counts = {(c, b): left[c] * right[b] for c in left for b in right}
        weights = list(itertools.accumulate(counts.get(place, 0) for _, place in ordered))
        if weights[-1]:
            medians.append(ordered[bisect.bisect_left(weights, weights[-1] / 2)][0])
    medians.sort()
    wider, tail = math.sqrt(fewest / (fewest - 1)), (1 - confidence) / 2
    low, high = medians[int(tail * len(medians))], medians[math.ceil((1 - tail) * len(medians)) - 1]
    return median - wider * max(0.0, median - low), median + wider * max(0.0, high - median)


@functools.lru_cache(maxsize=4096)
def _rank(count: int, needed: int, probability: float) -> int:
    """The smallest rank k (from 1) with P(at least `needed` of `count` draws have rank <= k) >= probability."""
    ranks = range(1, count + 1)
    place = bisect.bisect_left(ranks, probability, key=lambda rank: _at_least(count, needed, rank / count))
    return ranks[min(place, count - 1)]


def _at_least(count: int, needed: int, share: float) -> float:
    """P(a binomial number of `count` trials at `share` is at least `needed`), in logarithms: binomial coefficients of
    a thousand draws are no floats."""
    if share >= 1:
        return 1.0
    hit, miss, whole = math.log(share), math.log1p(-share), math.lgamma(count + 1)
    return sum(
        math.exp(whole - math.lgamma(hits + 1) - math.lgamma(count - hits + 1) + hits * hit + (count - hits) * miss)
        for hits in range(needed, count + 1)
    )
