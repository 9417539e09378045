"""The kernel file that a run leaves beside the one it began with, and what its header says."""

from __future__ import annotations

import time
from pathlib import Path

from tilewright import __version__, header
from tilewright.errors import KernelFileError
from tilewright.kernelfile import KernelFile, write_new
from tilewright.records import Attempt, Estimated, Measured, Measurement, Problem, Run
from tilewright.report import words
from tilewright.report.measured import over_seed_text
from tilewright.scores import Versus, against, best, gain, over


def save_best(run: Run, kernel: KernelFile, fallback: Path) -> Path | None:
    """Write the best kernel as `2_10_optimized_1.234x.py`, or `2_10_candidate_est.py` where it was estimated.

    Goes beside the original, or into `fallback` where that folder can't be written. None when nothing is
    better than the seed. Never overwrites a file.
    """
    result = gain(run)
    if result is None or result[1].index == run.attempts[0].index:
        return None
    _, top, _ = result
    stem = header.base_stem(kernel.path.stem)
    name = f"{stem}_candidate_est"
    if isinstance(top.evaluation, Measured):
        name = f"{stem}_optimized_{published(top.evaluation.measurement).ratio:.3f}x"
    return _written(run, top, kernel, name, fallback)


def save_first(run: Run, kernel: KernelFile, fallback: Path) -> Path | None:
    """Write the best kernel of a run that began without one, as `2_10.py` or `2_10_2.py`; None where none is right.

    Goes where `kernel` is to lie, or into `fallback` where that folder can't be written.
    """
    top = best(run)
    return _written(run, top, kernel, kernel.path.stem, fallback) if top else None


def _written(run: Run, top: Attempt, kernel: KernelFile, name: str, fallback: Path) -> Path:
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
    measured = kernel.header.speedup_ratio if not kernel.header.changed else None
    before = f" ({measured:.3f}x)" if measured else ""
    verb = "Optimized From" if kernel.text else "Generated For"
    origin = f"{verb}: {kernel.path.name if kernel.text else run.problem.name}{before}, run {run.id}"
    if isinstance(attempt.evaluation, Measured):
        paired = over_seed_text(attempt.evaluation.measurement)
        origin += f"; {paired}" if paired else ""
        candidate = attempt.candidate
        return [*measured_lines(attempt.evaluation.measurement, run.problem, candidate.id, candidate.source), origin]
    if isinstance(attempt.evaluation, Estimated):
        text = words.estimate_ms(attempt.evaluation.estimate)
        return [f"Estimated Result: estimated, not measured: {text} on {attempt.evaluation.estimate.gpu}", origin]
    return [origin]


def published(measurement: Measurement) -> Versus:
    """What a kernel file carries: the ratio over PyTorch eager where it was measured, else the headline."""
    return over(measurement, "eager") or against(measurement)[0]


def measured_lines(measurement: Measurement, problem: Problem, candidate_id: str, text: str) -> list[str]:
    """`Evaluation Result:` and where, when and with what it was measured. `text`: the file that is to say so."""
    shown = published(measurement)
    taken = [c.timing for c in measurement.comparisons if (c.baseline, c.clock) == (shown.baseline, shown.clock)]
    first = measurement.timings[0] if shown.baseline == measurement.baseline else taken[0]
    latency = over(measurement, shown.baseline, "latency")
    others = {v.baseline: round(v.ratio, 4) for v in against(measurement) if v.clock == "device"}
    own, error = measurement.own_share, measurement.error_ratio
    stats: dict[str, object] = {
        "speedup_ratio": round(shown.ratio, 4),
        "interval": [round(shown.low, 4), round(shown.high, 4)],
        "clock": "device",
        "candidate_ms": round(first.candidate_ms, 5),
        "baseline_ms": round(first.baseline_ms, 5),
        "baseline": words.baseline(shown.baseline),
        "precision": problem.precision,
        "gpu": measurement.device,
        "pairs": len(first.pairs),
        **({"latency_ratio": round(latency.ratio, 4)} if latency else {}),
        **({"baselines": others} if len(others) > 1 else {}),
        **({"own_share": round(own, 3)} if own is not None else {}),
        **({"error_ratio": round(error, 3)} if error is not None else {}),
        "checked_calls": measurement.checked_calls,
        "trust": measurement.trust,
    }
    versions = ", ".join(f"{name} {version}" for name, version in measurement.versions)
    day = time.strftime("%Y-%m-%d", time.gmtime())
    reasons = f"; trust {measurement.trust}: {'; '.join(measurement.trust_notes)}" if measurement.trust != "A" else ""
    kernel = f"kernel {candidate_id}, text {header.text_id(text)}{reasons}"
    by = f"Measured By: tilewright {__version__} on {day} ({versions}); {kernel}"
    in_docstring = " ".join(by.split()).replace("\\", "/").replace('"', "'")
    return [header.result_line(stats), in_docstring]
