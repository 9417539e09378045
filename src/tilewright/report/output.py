"""The kernel file that a run leaves beside the one it began with, and what its header says."""

from __future__ import annotations

import time
from pathlib import Path

from tilewright import __version__, header
from tilewright.errors import KernelFileError
from tilewright.kernelfile import KernelFile, write_new
from tilewright.records import Attempt, Estimated, Measured, Measurement, Problem, Run
from tilewright.report import words
from tilewright.scores import gain, score


def save_best(run: Run, kernel: KernelFile, fallback: Path) -> Path | None:
    """Write the best kernel as `2_10_optimized_1.234x.py`, or `2_10_candidate_est.py` where it was estimated.

    Goes beside the original, or into `fallback` where that folder can't be written. None when nothing is
    better than the seed. Never overwrites a file.
    """
    result = gain(run)
    if result is None or result[1].index == run.attempts[0].index:
        return None
    _, top, _ = result
    value = score(top.evaluation)
    if value is None:
        return None
    stem = header.base_stem(kernel.path.stem)
    name = f"{stem}_optimized_{value.value:.3f}x" if value.kind == "measured" else f"{stem}_candidate_est"
    workload = kernel.header.workload or ""
    text = header.with_result(top.candidate.source, run.problem.name, workload, result_lines(run, top, kernel))
    for folder in (kernel.path.resolve().parent, fallback):
        try:
            return write_new(folder, name, text)
        except OSError as error:
            failure = error
    raise KernelFileError(
        f"the best kernel can't be written to {kernel.path.parent} or {fallback}: {failure.strerror}. "
        f"It is in the store: tilewright resume {run.id}"
    )


def result_lines(run: Run, attempt: Attempt, kernel: KernelFile) -> list[str]:
    """Header lines for the best attempt of a run."""
    before = f" ({kernel.header.speedup_ratio:.3f}x)" if kernel.header.speedup_ratio else ""
    origin = f"Optimized From: {kernel.path.name}{before}, run {run.id}"
    if isinstance(attempt.evaluation, Measured):
        return [*measured_lines(attempt.evaluation.measurement, run.problem, attempt.candidate.id), origin]
    if isinstance(attempt.evaluation, Estimated):
        text = words.estimate_ms(attempt.evaluation.estimate)
        return [f"Estimated Result: estimated, not measured: {text} on {attempt.evaluation.estimate.gpu}", origin]
    return [origin]


def measured_lines(measurement: Measurement, problem: Problem, candidate_id: str) -> list[str]:
    """`Evaluation Result:` and where, when and with what it was measured."""
    first = measurement.timings[0]
    stats: dict[str, float | str | list[float]] = {
        "speedup_ratio": round(measurement.speedup_ratio, 4),
        "interval": [round(measurement.low, 4), round(measurement.high, 4)],
        "candidate_ms": round(first.candidate_ms, 5),
        "baseline_ms": round(first.baseline_ms, 5),
        "baseline": f"PyTorch {measurement.baseline}",
        "precision": problem.precision,
        "gpu": measurement.device,
        "pairs": len(first.pairs),
        "trust": measurement.trust,
    }
    versions = ", ".join(f"{name} {version}" for name, version in measurement.versions)
    day = time.strftime("%Y-%m-%d", time.gmtime())
    return [
        header.result_line(stats),
        f"Measured By: tilewright {__version__} on {day} ({versions}); kernel {candidate_id}",
    ]
