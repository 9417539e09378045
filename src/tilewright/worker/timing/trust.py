"""How far can a measurement be trusted, and why not further?

A: every mechanism was in force. B: one was missing, and is named. C: something speaks against the number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tilewright.records import Job
from tilewright.worker.isolation import rungs
from tilewright.worker.isolation.sandbox import Isolation
from tilewright.worker.timing.series import Timing
from tilewright.worker.verifying import compare

Grade = Literal["A", "B", "C"]
_LEAST_PAIRS = 100
_BLOCK_NOISE_MS = 0.2


@dataclass(frozen=True)
class Trust:
    """`missing` lowers the grade to B, `against` to C; `notes` are worth knowing."""

    missing: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def grade(self) -> Grade:
        return "C" if self.against else "B" if self.missing else "A"

    @property
    def words(self) -> tuple[str, ...]:
        """What is against it and what is missing first."""
        return tuple(dict.fromkeys((*self.against, *self.missing, *self.notes)))


def of_timing(timing: Timing, job: Job, isolation: Isolation, seconds: float) -> Trust:
    """One workload's timing on a GPU. `seconds` is how long its plan lets it go on for pairs."""
    missing, against, notes = [], [], [rungs.note(isolation)]
    if isolation.rung == "R0":
        missing.append(rungs.note(isolation))
    if job.effort == "quick":
        missing.append("a quick look: fewer checked calls and pairs")
    elif len(timing.headline.pairs) < _LEAST_PAIRS:
        missing.append(f"{len(timing.headline.pairs)} pairs within {seconds:.0f} s, {_LEAST_PAIRS} are wanted")
    if job.error_factor != compare.ERROR_FACTOR:
        missing.append(f"errors up to {job.error_factor:g} times PyTorch's own were let through, not 16")
    if timing.gated:
        allowed = allowed_ms(timing)
        notes.append(f"audited to {allowed * 1e3:.2g} us per call by the evaluator's own clock")
        if timing.hidden_ms > allowed:
            more = f"{timing.hidden_ms * 1e3:.0f} us more per call"
            against.append(f"the evaluator's clock saw {more} than the candidate's process says")
    else:
        missing.append("a forward waits for the device, so that its times include the host's part")
    if not timing.traced:
        notes.append("timed by events around the calls: the device's record of the kernels was not to be had")
    if not timing.samples:
        missing.append("NVML gave no clocks, temperature or power (is nvidia-ml-py installed?)")
    foreign = {pid for sample in timing.samples for pid in sample.foreign}
    if foreign:
        against.append(f"other processes hold this GPU: {', '.join(map(str, sorted(foreign)[:4]))}")
    if sum(sample.throttled for sample in timing.samples) > timing.dropped:
        against.append("the GPU was throttled while it was timed")
    elif timing.dropped:
        notes.append(f"{timing.dropped} rounds dropped in which the GPU was throttled")
    return Trust(tuple(missing), tuple(against), tuple(notes))


def together(parts: Sequence[Trust]) -> Trust:
    return Trust(
        tuple(word for part in parts for word in part.missing),
        tuple(word for part in parts for word in part.against),
        tuple(word for part in parts for word in part.notes),
    )


def allowed_ms(timing: Timing) -> float:
    """How much more the evaluator's clock may see than the candidate's process says, per call.

    It starts and stops once a block, with the noise of messages between processes.
    """
    return max(0.05 * timing.candidate_ms, _BLOCK_NOISE_MS / max(1, timing.block))
