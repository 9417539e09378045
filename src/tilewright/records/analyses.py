"""What was found out about why a kernel is as fast as it is, put together for people and programs."""

from __future__ import annotations

from dataclasses import dataclass

from tilewright.records.facts import Evidence, Finding
from tilewright.records.outcomes import Evaluation


@dataclass(frozen=True)
class Spent:
    """A part of the time of one forward: a kernel, or what is none (launches, PyTorch's operations).

    `detail` says what bounds it, or whose kernel it is. Estimated where the `Standing` that holds it is.
    """

    what: str
    ms: float
    launches: float | None = None
    detail: str = ""
    line: int | None = None


@dataclass(frozen=True)
class Standing:
    """How long a candidate takes at one workload, beside how long anyone must take.

    `time_ms` is measured on the device's clock, or estimated; None where neither could be had. `interval_ms` goes
    with an estimate.
    """

    workload: str
    measured: bool
    time_ms: float | None
    interval_ms: tuple[float, float] | None = None
    floor_ms: float | None = None
    bound_by: str = ""
    """What the floor is: memory, compute or launch."""
    floor_notes: tuple[str, ...] = ()
    """Which rates it rests on."""
    spent: tuple[Spent, ...] = ()
    asked_bytes: float | None = None
    """What the kernels as written read and write, PyTorch's operations included; None where not known."""
    needed_bytes: float | None = None
    """Each input and parameter once, each output once."""

    @property
    def achieved(self) -> float | None:
        """The share of what the hardware allows: 1 at the floor."""
        return self.floor_ms / self.time_ms if self.floor_ms and self.time_ms else None


@dataclass(frozen=True)
class Analysis:
    """All of it for one kernel. `not_known` says what could not be found out, and why."""

    path: str
    line_offset: int
    """Added to a line of the candidate's source to get the file's."""
    problem: str
    gpu: str
    """What all numbers are for; "" where nothing could be compiled."""
    evidence: Evidence
    evaluation: Evaluation | None
    """None where no GPU is here and the gates found nothing wrong."""
    findings: tuple[Finding, ...]
    standings: tuple[Standing, ...]
    notes: tuple[str, ...] = ()
    not_known: tuple[str, ...] = ()
    seconds: float = 0.0
