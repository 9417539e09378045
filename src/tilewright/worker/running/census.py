"""What ran on the device in one forward: which kernels, how often, for how long?

The profiler is asked, once the timing is over: CUPTI, once started, slows every later launch of the process. It tells
of kernels that a CUDA graph replays, too. Where the driver keeps CUPTI from a plain user, nothing is found.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.autograd import DeviceType

from tilewright.worker.exchange.wire import Header
from tilewright.worker.running.building import Forward

MOST_NAMES = 64
MOST_CHARACTERS = 200


@dataclass(frozen=True)
class Activity:
    """A kernel, a copy or a fill on the device; times in microseconds from some common point."""

    name: str
    start_us: float
    end_us: float
    stream: int


class Profiled:
    """A forward whose calls are profiled; `seen` is what ran in the last one."""

    def __init__(self, forward: Forward) -> None:
        self.forward = forward
        self.seen: Header = summary(())

    def __call__(self, *inputs: torch.Tensor) -> Any:
        torch.cuda.synchronize()
        profiler = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA])
        try:
            profiler.start()
        except RuntimeError:  # it can't be had here: nothing is seen then
            return self.forward(*inputs)
        try:
            output = self.forward(*inputs)
            torch.cuda.synchronize()
        finally:
            profiler.stop()
        self.seen = summary(_activities(profiler.events() or ()))
        return output


def summary(activities: Sequence[Activity]) -> Header:
    """`kernels` as [name, launches, microseconds], the longest first and no more than 64, what is left as one more;
    and on how many `streams` they ran."""
    grouped: dict[str, list[float]] = {}
    for activity in activities:
        grouped.setdefault(activity.name[:MOST_CHARACTERS], []).append(activity.end_us - activity.start_us)
    rows = sorted(((sum(times), len(times), name) for name, times in grouped.items()), reverse=True)
    kept, rest = rows[:MOST_NAMES], rows[MOST_NAMES:]
    if rest:
        kept.append((sum(us for us, _, _ in rest), sum(count for _, count, _ in rest), f"{len(rest)} others"))
    return {
        "kernels": [[name, count, float(us)] for us, count, name in kept],
        "streams": len({activity.stream for activity in activities}),
    }


def _activities(events: Iterable[Any]) -> list[Activity]:
    """Of the profiler's events those on the device; ranges that a program names for itself are none of them."""
    return [
        Activity(event.name, event.time_range.start, event.time_range.end, event.device_resource_id)
        for event in events
        if event.device_type == DeviceType.CUDA and not event.is_user_annotation
    ]
