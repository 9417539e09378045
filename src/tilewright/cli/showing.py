"""What the commands print: results to standard output, words on the way to standard error."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tilewright.errors import ProblemError
from tilewright.listing import Listed, slow_kernels

if TYPE_CHECKING:
    from tilewright.protocols import Watcher
    from tilewright.records import Problem, Run
    from tilewright.report.status import Limits
    from tilewright.wiring import Outcome

_WAITING = ("awaiting_answers", "awaiting_gpu")


def watcher_for(*, quiet: bool, verbose: bool) -> Watcher | None:
    if quiet:
        return None
    from rich.console import Console

    from tilewright.analysis.limit import share_reached
    from tilewright.report.terminal import TerminalWatcher

    return TerminalWatcher(Console(stderr=True), verbose, share_reached, _limits)


def _limits(run: Run) -> Limits:
    """Of a run's options, as they are now."""
    from tilewright.config import OptimizationConfig, from_pairs, resolve
    from tilewright.report.status import Limits
    from tilewright.wiring import most_evaluations

    settings = resolve(from_pairs(run.settings, OptimizationConfig()))
    return Limits(most_evaluations(settings), settings.max_wall_s, settings.max_gpu_s)


def line(text: str) -> None:
    """One line of UTF-8 on standard output, whatever the locale, never wrapped."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8") + b"\n")
    sys.stdout.buffer.flush()


def slow_line(kernel: Listed) -> str:
    return f"📉 {kernel.speedup_ratio:.3f}x {kernel.path} {kernel.category} {kernel.problem}"


def listing_of_slow(threshold: float, folder: Path | None = None) -> int:
    slow = slow_kernels(threshold, folder)
    for kernel in slow.kernels:
        line(slow_line(kernel))
    click.echo(
        f"{len(slow.kernels)} kernels below {threshold}x; {slow.unmeasured} unmeasured and "
        f"{slow.superseded} with a faster kernel beside them left out",
        err=True,
    )
    return 0


def final_record(outcome: Outcome, min_improvement: float, *, quiet: bool, show: bool) -> dict[str, Any]:
    """The run's final record (DESIGN: `tune --json` and `optimize --json`), shown in words where wanted."""
    from tilewright.analysis.limit import share_reached
    from tilewright.hardware import known_as
    from tilewright.report.terminal import result_line
    from tilewright.scores import best, over_seed, score

    run, saved = outcome.run, outcome.saved
    holder = best(run)
    value = score(holder.evaluation) if holder else None
    measured = value is not None and value.kind == "measured"
    paired = over_seed(holder) if holder else None
    with known_as(outcome.gpu):
        share = share_reached(holder, run.gpu) if holder else None
    record: dict[str, Any] = {
        "run": run.id,
        "kernel": run.kernel_path,
        "best": {
            "path": str(saved) if saved else None,
            "candidate": holder.candidate.id,
            "speedup_ratio": value.value if value and measured else None,
            "interval": [value.low, value.high] if value and measured else None,
            "baseline": run.baselines[0].name if measured else None,
            "over_seed": {"ratio": paired.ratio, "interval": [paired.low, paired.high]} if paired else None,
            "estimated_ms": 1 / value.value if value and not measured else None,
            "limit_percent": None if share is None else 100 * share,
        }
        if holder
        else None,
        "attempts": len(run.attempts),
        "stop_reason": run.stop_reason,
        "stop_detail": run.stop_detail,
        "seconds": round(run.seconds, 2),
        "gpu_seconds": round(sum(attempt.cost.gpu_seconds for attempt in run.attempts), 3),
        "usd": outcome.usd,
        "tokens": outcome.tokens,
    }
    if show:
        message = "" if quiet else _message(run, min_improvement) or _next_step(run, saved)
        line(result_line(run, str(saved) if saved else None, share, explained=run.stop_detail in message))
        if message:
            click.echo(message, err=True)
    return record


def show_waiting(outcomes: Sequence[Outcome]) -> None:
    """What each run waits for and what to do then; also with --quiet, for nothing happens before."""
    for outcome in outcomes:
        run, awaited = outcome.run, outcome.lessons_awaited
        waits = run.stop_reason in _WAITING
        said = [*([run.stop_detail] if waits else []), *([lessons_awaited(awaited)] if awaited else [])]
        if said:
            click.echo(f"{run.kernel_path} (run {run.id}): {' '.join(said)}", err=True)


def lessons_awaited(count: int) -> str:
    asked = "1 prompt that asks" if count == 1 else f"{count} prompts that ask"
    return f"{asked} what was learned may be answered later, too. Then: tilewright resume --waiting"


def _next_step(run: Run, saved: Path | None) -> str:
    """Of a first kernel, the command that goes on with it, with the options of the run that wrote it."""
    if not (run.attempts and run.attempts[0].candidate.proposer == "reference" and saved):
        return ""
    from tilewright.config import OptimizationConfig, arguments_of, from_pairs

    config = from_pairs(run.settings, OptimizationConfig())
    reference = [] if _is_shipped(run.problem) else ["--reference", str(config.kernel_file)]
    options = arguments_of(config, leave_out=("kernel_file", "generate", "optimize", "out"))
    command = ["run_multiturn_optimization.py", "--kernel", _shown(saved), *reference, *options]
    return f"Make it faster: {shlex.join(command)}"


def _is_shipped(problem: Problem) -> bool:
    """Whether a kernel's number is enough to find it."""
    from tilewright.problems import find_reference

    if problem.level is None or problem.problem_id is None:
        return False
    try:
        return find_reference(problem.level, problem.problem_id).read_text(encoding="utf-8") == problem.source
    except ProblemError:
        return False


def _shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _message(run: Run, min_improvement: float) -> str:
    """The documented messages for runs that gained nothing, or too little."""
    from tilewright.records import Measured, Wrong
    from tilewright.report.words import outcome
    from tilewright.scores import gain, score

    if run.stop_reason in _WAITING:
        return ""  # `show_waiting` tells
    if run.stop_reason in ("budget", "machinery", "model_unavailable", "no_machine"):
        return f"Stopped: {run.stop_detail}"
    first = run.attempts[0].evaluation if run.attempts else None
    if run.stop_reason == "seed_wrong" and isinstance(first, Wrong):
        cause = f" Likely cause: {first.mismatch.cause}." if first.mismatch.cause else ""
        return (
            f"Optimization failed correctness check: {first.mismatch.message}.{cause} "
            "Mend the kernel, or make that the first task: --repair"
        )
    if run.stop_reason == "seed_failed":
        return f"Optimization failed correctness check: the kernel as it is can't be judged: {outcome(first)}"
    if run.stop_reason == "near_optimal":
        return f"Stopped {run.stop_detail}. To go on all the same: --near-optimal 0"
    result = gain(run)
    if result is None or run.stop_reason in ("target", "interrupted"):
        return ""
    _, _, ratio = result
    if ratio - 1 >= min_improvement:
        return ""
    tried = len(run.attempts) - 1
    right = sum(score(attempt.evaluation) is not None for attempt in run.attempts) - 1
    unit = "measured" if isinstance(first, Measured) else "estimated"
    were_right = f"of {tried} candidates {right} were right" if tried != 1 else f"{right} of 1 candidate was right"
    return (
        f"Improvement below threshold: {ratio - 1:.1%} {unit}, {min_improvement:.0%} wanted; "
        f"{were_right}.{_doubts(run)} Try more settings (--tune-budget), more turns (--max-iterations, "
        "--patience), or see what holds it back: tilewright brief KERNEL"
    )


def _doubts(run: Run) -> str:
    """Why measurements were passed over that may look better."""
    from tilewright.records import Measured

    measured = [a.evaluation.measurement for a in run.attempts[1:] if isinstance(a.evaluation, Measured)]
    reasons = [m.trust_notes[0] if m.trust_notes else "" for m in measured if m.trust == "C"]
    if not reasons:
        return ""
    return f" Of {len(reasons)} of them the numbers don't count, for something speaks against them: {reasons[0]}."
