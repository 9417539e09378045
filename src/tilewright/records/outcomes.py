"""What became of a candidate: one of nine outcomes, each with the evidence that it needs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from tilewright.records.facts import Reason


@dataclass(frozen=True)
class Mismatch:
    """The first wrong value of an output and what the wrong values have in common."""

    message: str
    workload: str = "default"
    output: int = 0
    index: tuple[int, ...] = ()
    got: str = ""
    expected: str = ""
    pattern: str = ""
    cause: str = ""
    error_ratio: float | None = None
    seed: int | None = None


@dataclass(frozen=True)
class WorkloadTiming:
    """Interleaved times of candidate and baseline at one workload.

    `pairs` are (candidate_ms, baseline_ms) in the order they were taken; `ratio` is the median of
    baseline_ms / candidate_ms over the pairs, [low, high] its 95 % bootstrap interval.
    """

    workload: str
    weight: float
    pairs: tuple[tuple[float, float], ...]
    ratio: float
    low: float
    high: float
    candidate_ms: float
    baseline_ms: float


Clock = Literal["device", "events", "latency"]
"""device: from the first to the last kernel of one forward, the queue kept full, so that no gap of the host counts.
latency: one call on an idle stream, the host's part included."""


@dataclass(frozen=True)
class Comparison:
    """The candidate against one baseline by one clock at one workload."""

    baseline: str
    clock: Clock
    timing: WorkloadTiming


@dataclass(frozen=True)
class KernelShare:
    """A kernel that ran in one forward: how often, and its share of the device's time in that forward.

    `own`: it is one of the candidate's TileLang kernels, and no library's.
    """

    name: str
    launches: float
    share: float
    own: bool


@dataclass(frozen=True)
class Measurement:
    """A speedup taken on a GPU: the weighted geometric mean of the workloads' ratios, with its interval."""

    speedup_ratio: float
    low: float
    high: float
    timings: tuple[WorkloadTiming, ...]
    baseline: str
    gpu: str
    device: str
    versions: tuple[tuple[str, str], ...]
    clock: str
    checked_calls: int
    error_ratio: float | None
    trust: Literal["A", "B", "C"]
    trust_notes: tuple[str, ...] = ()
    conditions: tuple[tuple[str, float], ...] = ()
    """Readings around the timing: sm_clock_mhz, temperature_c, power_w, where the driver gives them."""
    stopped_early: bool = False
    comparisons: tuple[Comparison, ...] = ()
    """Beside `timings` (the headline's baseline, device clock): all other baselines and the latency clock."""
    census: tuple[KernelShare, ...] = ()
    """What ran in one forward at the first workload; empty where it was not taken."""
    busy_ms: float | None = None
    """All times of that census together, by the profiler, with inputs that lay in the cache; None where it was not
    taken."""
    seeds: tuple[int, ...] = ()
    """All draws follow from these, one a process and workload, in this order: `tilewright recheck` repeats them."""
    confirmations: tuple[tuple[float, float, float], ...] = ()
    """(ratio, low, high) of each fresh process where it was measured again; the headline then comes from these."""
    isolation: str = "R0"
    error_factor: float = 16.0

    @property
    def latency_ratio(self) -> float | None:
        """Weighted geometric mean of the ratios by the latency clock, against the headline's baseline."""
        taken = [c.timing for c in self.comparisons if c.clock == "latency" and c.baseline == self.baseline]
        total = sum(timing.weight for timing in taken)
        return math.exp(sum(t.weight * math.log(t.ratio) for t in taken) / total) if taken else None

    @property
    def own_share(self) -> float | None:
        """Share of the device's time that the candidate's own TileLang kernels take; None where it was not taken."""
        return sum(kernel.share for kernel in self.census if kernel.own) if self.census else None


@dataclass(frozen=True)
class WorkloadEstimate:
    """What a model expects of a candidate at one workload; no measurement."""

    workload: str
    weight: float
    candidate_ms: float
    low_ms: float
    high_ms: float
    floor_ms: float
    bound_by: str


@dataclass(frozen=True)
class Estimate:
    """An expected time from a model. It holds no speedup and can't be turned into one."""

    estimates: tuple[WorkloadEstimate, ...]
    gpu: str
    model: str
    calibrated: bool


@dataclass(frozen=True)
class Rejected:
    outcome: ClassVar[str] = "rejected"
    gate: str
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class CompileFailed:
    outcome: ClassVar[str] = "compile_failed"
    message: str
    line: int | None = None
    action: str = ""


@dataclass(frozen=True)
class Wrong:
    outcome: ClassVar[str] = "wrong"
    mismatch: Mismatch
    checked_calls: int = 0


@dataclass(frozen=True)
class Crashed:
    outcome: ClassVar[str] = "crashed"
    message: str
    seed: int | None = None
    """All draws until then follow from it; None where none were made."""


@dataclass(frozen=True)
class TimedOut:
    outcome: ClassVar[str] = "timed_out"
    message: str
    seconds: float


@dataclass(frozen=True)
class Unscorable:
    """The problem's fault, not the candidate's."""

    outcome: ClassVar[str] = "unscorable"
    message: str


@dataclass(frozen=True)
class Verified:
    """Right, and no time was taken on a GPU. `cpu_ratio` where it ran natively on a CPU."""

    outcome: ClassVar[str] = "verified"
    checked_calls: int
    error_ratio: float | None
    cpu_ratio: float | None = None
    notes: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()


@dataclass(frozen=True)
class Estimated:
    outcome: ClassVar[str] = "estimated"
    estimate: Estimate


@dataclass(frozen=True)
class Measured:
    outcome: ClassVar[str] = "measured"
    measurement: Measurement


Evaluation = Rejected | CompileFailed | Wrong | Crashed | TimedOut | Unscorable | Verified | Estimated | Measured
EVALUATIONS: tuple[type, ...] = (
    Rejected, CompileFailed, Wrong, Crashed, TimedOut, Unscorable, Verified, Estimated, Measured,
)  # fmt: skip
