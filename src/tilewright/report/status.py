"""The line below a run's output while it goes on: what is under way, the best, the budget, the time left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tilewright.records import Measured, Run
from tilewright.scores import best, gain

_STAGES = {
    "proposing": "proposing",
    "queued": "waiting",
    "static": "being read",
    "kernels": "being read",
    "compile": "compiling",
    "semantic": "checked on the CPU",
    "ready": "ready",
    "evaluating": "measured",
}
"""In the order of a candidate's way."""


@dataclass(frozen=True)
class Limits:
    """What a run may use; None where nothing limits it. `candidates` are beside the kernel as it was."""

    candidates: int
    wall_s: float | None = None
    gpu_s: float | None = None


def status(run: Run, stages: Mapping[str, int], limits: Limits, elapsed_s: float, each_s: float | None) -> str:
    """`each_s`: what a candidate takes, None while nothing is known of that."""
    tried = max(len(run.attempts) - 1, 0)
    parts = [_under_way(stages, run.evaluator), _best(run), f"{tried} of {limits.candidates} candidates"]
    parts.append(f"{duration(elapsed_s)}{f' of {duration(limits.wall_s)}' if limits.wall_s else ''}")
    if limits.gpu_s:
        parts.append(f"GPU {duration(_gpu_s(run))} of {duration(limits.gpu_s)}")
    left = _left_s(run, limits, elapsed_s, each_s)
    if left is not None:
        parts.append(f"at most about {duration(left)} left")
    return " | ".join(part for part in parts if part)


def duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _left_s(run: Run, limits: Limits, elapsed_s: float, each_s: float | None) -> float | None:
    """Until a limit ends it; it may be through before."""
    ends = [] if limits.wall_s is None else [limits.wall_s - elapsed_s]
    if each_s is not None:
        ends.append((limits.candidates + 1 - len(run.attempts)) * each_s)
        gpu_s = _gpu_s(run)
        if limits.gpu_s and gpu_s:
            ends.append((limits.gpu_s - gpu_s) / gpu_s * len(run.attempts) * each_s)
    return max(min(ends), 0.0) if ends else None


def _gpu_s(run: Run) -> float:
    return sum(attempt.cost.gpu_seconds for attempt in run.attempts)


def _under_way(stages: Mapping[str, int], evaluator: str) -> str:
    names = {**_STAGES, "evaluating": "estimated"} if evaluator == "offline" else _STAGES
    counts = {names.get(stage, stage): 0 for stage in (*_STAGES, *stages)}
    for stage, count in stages.items():
        counts[names.get(stage, stage)] += count
    return ", ".join(name if name == "proposing" else f"{count} {name}" for name, count in counts.items() if count)


def _best(run: Run) -> str:
    holder, found = best(run), gain(run)
    if holder is None or found is None:
        return ""
    if isinstance(holder.evaluation, Measured):
        return f"best {holder.evaluation.measurement.speedup_ratio:.3f}x (#{holder.index})"
    return f"best est. {found[2]:.2f}x of the seed (#{holder.index})"
