"""tilewright calibrate"""

from __future__ import annotations

import json
import math
import sqlite3
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tilewright.cli.showing import line
from tilewright.config import RESULTS_HELP

if TYPE_CHECKING:
    from tilewright.analysis.calibration import HeldOut, Sample
    from tilewright.analysis.coefficients import Calibration

STORE = "store"
_PACKAGE_DATA = Path(__file__).resolve().parents[1] / "data"


@click.command("calibrate")
@click.option(
    "--from",
    "source",
    default=STORE,
    show_default=True,
    help="Measurements: FILE.jsonl as benchmarks.landscape writes it, or `store` for those of the runs in --results.",
)
@click.option("--gpu", help="GPU whose measurements count; the one with most of them by default.")
@click.option("--results", type=click.Path(path_type=Path), default="results", show_default=True, help=RESULTS_HELP)
@click.option("--package", is_flag=True, help="Write into tilewright's own data, to be shipped, not into --results.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as one JSON object.")
def command(source: str, gpu: str | None, results: Path, package: bool, as_json: bool) -> int:
    """Fit the time model to what was measured on a GPU here, and say how well it ranks kernels it never saw.

    Estimates for that GPU rest on it from then on.
    """
    from tilewright import jsonform
    from tilewright.analysis.calibration import calibrate
    from tilewright.analysis.coefficients import file_name
    from tilewright.hardware import load_gpu
    from tilewright.judge import commit

    everything = list(_stored(results / "tilewright.db") if source == STORE else _rows(Path(source)))
    name, samples = _of_one_gpu(everything, load_gpu(gpu).name if gpu else None)
    versions = _versions([versions for on, versions, _ in everything if on == name])
    fitted, held_out = calibrate(samples, load_gpu(name), lambda text: click.echo(text, err=True))
    fitted = replace(fitted, commit=commit(), versions=versions)
    path = (_PACKAGE_DATA if package else results) / file_name(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = {**jsonform.to_plain(fitted), "median": _middle(held_out), "held_out": [_record(k) for k in held_out]}
    temporary = path.with_suffix(".tmp")  # an estimate made meanwhile reads the old file or the new one
    temporary.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
    temporary.replace(path)
    if as_json:
        line(json.dumps({"path": str(path), **plain}))
    else:
        for text in (*_table(held_out), *_summary(fitted, held_out), f"written to {path}"):
            line(text)
    return 0


_Measured = tuple[str, tuple[tuple[str, str], ...], "Sample"]
"""GPU, versions, sample."""


def _rows(path: Path) -> Iterator[_Measured]:
    from tilewright import jsonform
    from tilewright.analysis.calibration import Sample
    from tilewright.errors import RecordError, UsageError
    from tilewright.records import Facts

    if not path.is_file():
        raise UsageError(f"--from {path}: no such file. Measure one: python -m benchmarks.landscape {path}")
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(text)
            if row["outcome"] != "measured" or not row["facts"]:
                continue
            facts = jsonform.from_plain(Facts, row["facts"][0])
            sample = Sample(row["kernel"], row["candidate"], facts, row["precision"], float(row["candidate_ms"]))
        except (ValueError, KeyError, TypeError, RecordError) as error:
            raise UsageError(f"{path}, line {number}: not a measured setting ({error!r})") from error
        yield row["gpu"], tuple(row.get("versions", {}).items()), sample


def _stored(path: Path) -> Iterator[_Measured]:
    """Every measured attempt of every run that has facts. Opened for reading alone: runs may be going on."""
    from tilewright import jsonform
    from tilewright.analysis.calibration import Sample
    from tilewright.errors import StoreError, UsageError
    from tilewright.records import Attempt, Measured, Run

    if not path.is_file():
        raise UsageError(
            f"{path}: no such store. Measurements come from runs: tilewright tune KERNEL; or --from FILE"
        )
    query = "SELECT run.record, attempt.record FROM attempt JOIN run ON run.id = run_id WHERE outcome = 'measured'"
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
            records = db.execute(query).fetchall()
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}. Choose another folder: --results DIR") from error
    for run_record, attempt_record in records:
        run, attempt = jsonform.loads(Run, run_record), jsonform.loads(Attempt, attempt_record)
        if not isinstance(attempt.evaluation, Measured) or attempt.evaluation.measurement.trust == "C":
            continue
        measurement, precision = attempt.evaluation.measurement, run.problem.precision
        times = {timing.workload: timing.candidate_ms for timing in measurement.timings}
        kernel = Path(run.kernel_path).stem
        for facts in attempt.evidence.facts:
            if facts.workload in times:
                sample = Sample(kernel, attempt.candidate.id, facts, precision, times[facts.workload])
                yield measurement.gpu, measurement.versions, sample


def _of_one_gpu(everything: Sequence[_Measured], wanted: str | None) -> tuple[str, list[Sample]]:
    """Each candidate once at each workload: that the same was measured twice says nothing new."""
    from tilewright.errors import UsageError

    counts = Counter(gpu for gpu, _, _ in everything)
    if not counts or (wanted is not None and wanted not in counts):
        has = ", ".join(f"{count} on {gpu}" for gpu, count in counts.items()) or "none"
        raise UsageError(f"no measurements on {wanted or 'any GPU'} with facts to fit to; found: {has}")
    name = wanted or counts.most_common(1)[0][0]
    samples = {(s.candidate, s.facts.workload, s.kernel): s for gpu, _, s in everything if gpu == name}
    return name, list(samples.values())


def _versions(found: Sequence[tuple[tuple[str, str], ...]]) -> tuple[tuple[str, str], ...]:
    """Those of most measurements."""
    return Counter(found).most_common(1)[0][0]


def _table(held_out: Sequence[HeldOut]) -> list[str]:
    """Each row by a fit that left the kernel out."""
    width = max(6, *(len(kernel.kernel) for kernel in held_out))
    rows = [f"{'kernel':<{width}}  variants  rank corr.  best third  top 20 %  real/est."]
    for kernel in held_out:
        rows.append(
            f"{kernel.kernel:<{width}}  {kernel.variants:>8}  {_number(kernel.spearman):>10}  "
            f"{_number(kernel.best_third):>10}  {'holds' if kernel.kept else 'misses':>8}  {kernel.offset:>9.2f}"
        )
    return rows


def _summary(fitted: Calibration, held_out: Sequence[HeldOut]) -> list[str]:
    middle = _middle(held_out)
    return [
        f"Fitted to {fitted.samples} measurements of {fitted.kernels} kernels on {fitted.gpu}.",
        "By fits that left each kernel out, as in the rows above:",
        f"  rank correlation of estimated and measured times in the median kernel: {_number(middle['spearman'])}",
        f"  the same among the fastest third: {_number(middle['best_third'])}",
        f"  the best 20 % by the model hold one within 5 % of the fastest: {middle['kept']:.0%} of kernels",
        f"  four of five times: {math.exp(fitted.low):.2f} to {math.exp(fitted.high):.2f} times the estimate",
    ]


def _middle(held_out: Sequence[HeldOut]) -> dict[str, float | None]:
    """Medians over the kernels that say something, and the share whose best 20 % hold a good one."""
    correlations = [k.spearman for k in held_out if k.spearman is not None]
    of_the_best = [k.best_third for k in held_out if k.best_third is not None]
    return {
        "spearman": statistics.median(correlations) if correlations else None,
        "best_third": statistics.median(of_the_best) if of_the_best else None,
        "kept": statistics.fmean(k.kept for k in held_out),
    }


def _record(kernel: HeldOut) -> dict[str, Any]:
    return {
        "kernel": kernel.kernel,
        "variants": kernel.variants,
        "spearman": kernel.spearman,
        "best_third": kernel.best_third,
        "kept": kernel.kept,
        "measured_over_estimated": kernel.offset,
    }


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
