"""What became of a candidate: one of nine outcomes, each with the evidence that it needs."""

from __future__ import annotations

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
