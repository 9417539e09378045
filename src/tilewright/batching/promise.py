"""How much may a kernel's next turn be expected to gain for a second of the GPU?

    promise = rate * headroom / seconds

`headroom` is ln(1 / share) of the limit: the logarithm, since a batch is summed up by the geometric mean of its
speedups, to which every kernel adds its own. `rate` is the share of the headroom that a turn closes: what this
kernel's turns did, the latest counting most, held to what turns do in general while there are few of them.

    rate = (CLOSED + sum of w * gain) / (1 + sum of w * headroom before the turn),   w = 1, 1/2, 1/4 ... backwards

`seconds` are the GPU seconds that a turn of this kernel took. So a kernel far from its limit comes first, one that
stopped to gain falls behind, and of two alike the cheaper one is taken.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from tilewright.records import Attempt, Run
from tilewright.scores import best, score
from tilewright.search.stopping import ShareReached

CLOSED = 0.5
"""Share of the headroom that a turn closes as far as nothing else is known. Of 23 kernels' first turns on an H200 it
was 0.8, of five second ones 0 (`benchmarks/results/optimized.jsonl`)."""
FADING = 0.5
"""What a turn counts beside the one after it."""
LEAST_HEADROOM = 0.02
"""Limits are known within a few percent, so nobody is at one for sure."""
EAGER_SHARE = 0.3
"""Of its limit that PyTorch eager is taken to reach where the limit isn't known yet."""
JUDGED_S = 1.0
"""What judging a candidate takes of a GPU's time, at least: some evaluators tell of timed calls only."""
TURN_ATTEMPTS = 12
"""Candidates of a turn, before there was one: the median of those 23."""


@dataclass(frozen=True)
class Prospect:
    """`share` of its limit that a kernel reaches; the logarithms of what its turns gained, the latest last; the GPU
    seconds of a turn."""

    share: float
    gains: tuple[float, ...] = ()
    turn_s: float = TURN_ATTEMPTS * (JUDGED_S + 1.0)


def promise(prospect: Prospect) -> float:
    """The expected logarithm of the next turn's gain, per GPU second."""
    headroom = max(-math.log(max(prospect.share, 1e-9)), LEAST_HEADROOM)
    closed, open_, weight, before = CLOSED, 1.0, 1.0, headroom
    for gain in reversed(prospect.gains):
        before += gain
        closed += weight * gain
        open_ += weight * before
        weight *= FADING
    return closed / open_ * headroom / prospect.turn_s


def prospect_unseen(speedup_ratio: float | None, others: Sequence[float]) -> Prospect:
    """Of a kernel that no run has looked at; one without a known speedup is taken to be like the `others`."""
    known = sorted(ratio for ratio in others if ratio > 0)
    ratio = speedup_ratio or (known[len(known) // 2] if known else 1.0)
    return Prospect(ratio * EAGER_SHARE)


def prospect(run: Run, share_reached: ShareReached) -> Prospect:
    """Of a run that has judged its seed, from its attempts alone."""
    holder = best(run)
    turns = max((attempt.turn for attempt in run.attempts), default=0)
    return Prospect(_share(run, holder, share_reached), _gains(run, turns), _turn_s(run, turns))


def _share(run: Run, holder: Attempt | None, share_reached: ShareReached) -> float:
    share = share_reached(holder, run.gpu) if holder else None
    if share is not None:
        return share
    value = score(holder.evaluation) if holder else None
    return value.value * EAGER_SHARE if value and value.kind == "measured" else EAGER_SHARE


def _gains(run: Run, turns: int) -> tuple[float, ...]:
    ends = [_value(replace(run, attempts=tuple(a for a in run.attempts if a.turn <= t))) for t in range(turns + 1)]
    return tuple(math.log(after / before) if before and after else 0.0 for before, after in pairwise(ends))


def _value(run: Run) -> float | None:
    holder = best(run)
    value = score(holder.evaluation) if holder else None
    return value.value if value else None


def _turn_s(run: Run, turns: int) -> float:
    """What those so far took, on the mean; before the first as many attempts as they use to have, each like the
    seed."""
    judged = [attempt for attempt in run.attempts if not turns or (attempt.turn and attempt.shared_with is None)]
    spent = sum(max(attempt.cost.gpu_seconds, JUDGED_S) for attempt in judged)
    if turns:
        return max(spent / turns, JUDGED_S)
    return TURN_ATTEMPTS * (spent or JUDGED_S)
