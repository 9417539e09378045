"""What was taken: pairs of times against each baseline by each clock, and what the clocks say of one another."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from tilewright.records import Clock
from tilewright.worker.timing import gpu, intervals


@dataclass
class Series:
    """Pairs (candidate, baseline) in ms by one clock, and their median ratio with its interval."""

    baseline: str
    clock: Clock
    pairs: list[tuple[float, float]] = field(default_factory=list)
    ratio: float = 0.0
    low: float = 0.0
    high: float = 0.0

    places: list[tuple[int, int]] = field(default_factory=list)
    """Of each pair which process of each crew it comes from."""

    def add(self, candidate: Sequence[float], baseline: Sequence[float], places: tuple[int, int] = (0, 0)) -> None:
        """Times in ms of so many calls each."""
        before = len(self.pairs)
        self.pairs += zip(candidate, baseline)
        self.places += [places] * (len(self.pairs) - before)
        self.ratio, self.low, self.high = intervals.median_interval([b / c for c, b in self.pairs])

    def between_processes(self) -> tuple[float, float]:
        """What other processes of the same might have shown: (low, high)."""
        return intervals.between_processes([b / c for c, b in self.pairs], self.places)

    def allow_for_processes(self) -> None:
        low, high = self.between_processes()
        self.low, self.high = min(self.low, low), max(self.high, high)


@dataclass
class Timing:
    """What was taken; the headline is that baseline by the device's clock."""

    series: list[Series]
    baseline: str
    traced: bool = False
    """Whether the device's clock is its record of the kernels."""
    stopped_early: bool = False
    gated: bool = False
    """Whether all blocks of candidate and reference were enqueued before the device began."""
    block: int = 0
    """Calls of a block."""
    processes: int = 1
    """That held the candidate."""
    hidden_ms: float = 0.0
    """What the clock here saw more than the candidate's process says, per call, less the same of the baseline."""
    surely_hidden_ms: float = 0.0
    """The same in the round in which it was least."""
    wall_ratio: float = 0.0
    """Baseline's over candidate's blocks by the clock here, all around the calls included."""
    dropped: int = 0
    samples: list[gpu.Sample] = field(default_factory=list)
    launch_floor_us: float = 0.0
    """What this clock reads for a kernel that does next to nothing; it is in all times, and taken off none."""

    @property
    def headline(self) -> Series:
        return next(series for series in self.series if series.baseline == self.baseline)

    @property
    def candidate_ms(self) -> float:
        return statistics.median(candidate for candidate, _ in self.headline.pairs)

    @property
    def events_ms(self) -> float:
        """A call of the candidate's by the events around it."""
        clock = "events" if self.traced else "device"
        by_events = next(s for s in self.series if (s.baseline, s.clock) == (self.baseline, clock))
        return statistics.median(candidate for candidate, _ in by_events.pairs)
