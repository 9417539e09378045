"""How many pairs of times does a candidate get, and when are there enough?"""

from __future__ import annotations

from dataclasses import dataclass

from tilewright.records import Effort
from tilewright.worker.timing.series import Series


@dataclass(frozen=True)
class Plan:
    """When to stop: at least and at most so many pairs, half an interval so wide (relative), so many seconds.

    `block` is how many calls are timed in one go, `most_block` where they are short: the evaluator's own clock is as
    exact as a block is long. `latencies` is how many pairs the latency clock gets, `calls_a_pair` how many short
    calls the device's clock takes the mean of, `rebuilt_after` the pairs after which those of a round are constructed
    anew; 0 for never. `processes` hold the candidate, and as many each baseline, where the memory allows it; as many
    more, and again up to `most_processes`, where half the interval between them is wider than `processes_half_width`.
    """

    least: int
    most: int
    half_width: float
    least_seconds: float
    seconds: float
    block: int = 10
    most_block: int = 10
    latencies: int = 0
    calls_a_pair: int = 1
    rebuilt_after: int = 0
    processes: int = 1
    most_processes: int = 0
    processes_half_width: float = 0.01


PLANS: dict[Effort, Plan] = {
    "quick": Plan(10, 20, 0.02, 0.0, 3.0, block=5, most_block=50, calls_a_pair=5),
    "full": Plan(
        100, 2000, 0.005, 0.5, 15.0, most_block=60, latencies=30, calls_a_pair=10, rebuilt_after=10,
        processes=4, most_processes=12,
    ),
    "confirm": Plan(
        100, 2000, 0.005, 0.5, 15.0, most_block=60, latencies=30, calls_a_pair=10, rebuilt_after=10,
        processes=3, most_processes=6,
    ),
}  # fmt: skip
CPU_PLANS: dict[Effort, Plan] = {
    "quick": Plan(4, 10, 0.05, 0.0, 0.3, block=2, most_block=2),
    "full": Plan(10, 40, 0.02, 0.0, 1.5, block=5, most_block=5),
    "confirm": Plan(20, 100, 0.01, 0.0, 4.0, block=5, most_block=5, rebuilt_after=10, processes=2, most_processes=4),
}


def enough(head: Series, plan: Plan, taken_s: float) -> bool:
    """Whether the plan is content with these pairs after that many seconds."""
    count = len(head.pairs)
    if count >= plan.most or (count and taken_s > plan.seconds):
        return True
    narrow = count >= plan.least and (head.high - head.low) / 2 <= plan.half_width * head.ratio
    return narrow and taken_s >= plan.least_seconds
