"""When does a run end?"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from tilewright.records import Attempt, Estimated, Run
from tilewright.scores import AT_LIMIT, best, doubtful, score

ShareReached = Callable[[Attempt, str], "float | None"]
"""Of what a GPU (by its name) allows the problem, the share that an attempt reached; None where that isn't known."""


@dataclass(frozen=True)
class StopRules:
    """When a run ends. Each rule gives a reason and the numbers behind it."""

    target_speedup: float
    min_improvement: float
    patience: int
    max_turns: int
    exhaustible: bool = True
    """Whether a turn that brings no candidate means that no later one will: not where a model may answer then."""
    first_correct: bool = False
    """Whether the first kernel that is right is all that is wanted."""
    max_evaluations: int | None = None
    max_wall_s: float | None = None
    max_gpu_s: float | None = None
    near_optimal: float = 0.0
    """Share of the limit at which nothing worth having is left; 0 for never."""
    share_reached: ShareReached | None = None

    def within_turn(self, run: Run, elapsed_s: float) -> tuple[str, str] | None:
        """Rules that hold at any moment."""
        holder = best(run)
        top = score(holder.evaluation) if holder else None
        if self.first_correct and holder:
            return "generated", f"attempt {holder.index} is right"
        sure = holder is not None and not doubtful(holder)
        if sure and top and top.kind == "measured" and top.low >= self.target_speedup:
            return (
                "target",
                f"{top.value:.3f}x [{top.low:.3f}, {top.high:.3f}] is at the target {self.target_speedup}x",
            )
        reached = self._near_optimal(run, holder) if holder and sure else None
        if reached:
            return reached
        evaluated = sum(attempt.phase != "seed" for attempt in run.attempts)
        if self.max_evaluations is not None and evaluated >= self.max_evaluations:
            return "evaluations", f"{evaluated} candidates evaluated"
        if self.max_wall_s is not None and elapsed_s >= self.max_wall_s:
            return "wall", f"{elapsed_s:.0f} s used of {self.max_wall_s:.0f} s"
        gpu_s = sum(attempt.cost.gpu_seconds for attempt in run.attempts)
        if self.max_gpu_s is not None and gpu_s >= self.max_gpu_s:
            return "gpu_seconds", f"{gpu_s:.1f} s of the GPU used of {self.max_gpu_s:.1f} s"
        recent = run.attempts[-3:]
        if len(recent) == 3 and all(attempt.error for attempt in recent):
            last = recent[-1].error.rstrip(".")
            told = f"three attempts in a row were abandoned; the last: {last}. Go on with: tilewright resume {run.id}"
            return "machinery", told
        return None

    def after_turn(self, run: Run, turn: int) -> tuple[str, str] | None:
        """Rules that hold between turns: plateau and turns."""
        idle = 0
        for progress in _progress_by_turn(run, turn):
            idle = 0 if progress >= self.min_improvement else idle + 1
        if self.exhaustible and not any(attempt.turn == turn for attempt in run.attempts):
            return "exhausted", "nothing left to try without a language model"
        if idle >= self.patience and best(run):  # until there is a kernel that is right, none is better
            return "plateau", f"{idle} turns without a gain of {self.min_improvement:.0%} over the best"
        if turn >= self.max_turns:
            return "iterations", f"{turn} turns"
        return None

    def _near_optimal(self, run: Run, holder: Attempt) -> tuple[str, str] | None:
        share = self.share_reached(holder, run.gpu) if self.share_reached and self.near_optimal else None
        if share is None or not self.near_optimal <= share <= AT_LIMIT:
            return None
        marked = "est. " if isinstance(holder.evaluation, Estimated) else ""
        near = f"{share:.0%} of" if share <= 1 else "at"
        known = "" if share <= 1 else ", as exactly as that is known"
        return "near_optimal", f"near optimal: {marked}{near} what {run.gpu} allows this problem{known}"


def _progress_by_turn(run: Run, last_turn: int) -> Iterator[float]:
    """The relative gain of the best in each turn."""
    for turn in range(1, last_turn + 1):
        ends = [best(_until(run, t)) for t in (turn - 1, turn)]
        before, after = (score(a.evaluation) if a else None for a in ends)
        if after is None:
            yield 0.0
        elif before is None:
            yield math.inf
        else:
            yield after.value / before.value - 1


def _until(run: Run, turn: int) -> Run:
    return replace(run, attempts=tuple(a for a in run.attempts if a.turn <= turn))
