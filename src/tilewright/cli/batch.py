"""tilewright batch DIR|LIST..."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tilewright.cli.options import config_from, run_options
from tilewright.cli.resume import SAME_FOR_ALL_ATTEMPTS
from tilewright.cli.showing import line
from tilewright.config import OptimizationConfig, from_pairs, to_pairs
from tilewright.errors import UsageError

if TYPE_CHECKING:
    from tilewright.batching.book import Batch
    from tilewright.report.batch.rows import Summary

_OF_ONE_KERNEL = (
    "kernel_file",
    "list_slow",
    "reference",
    "inputs",
    "workload",
    "generate",
    "optimize",
    "out",
    "repair",
)


@click.command("batch")
@click.argument("sources", nargs=-1, metavar="[DIR|LIST|KERNEL]...")
@run_options(leave_out=_OF_ONE_KERNEL)
@click.option("--jobs", type=click.IntRange(1), help="Runs that work at a time; two a GPU by default.")
@click.option("--name", default="", help="What to call the batch.")
@click.option("--resume", "resumed", metavar="NAME", help="Go on with a batch: its name, or `last`.")
@click.option("--json", "as_json", is_flag=True, help="Print an object a kernel and a last one for the batch.")
def command(
    sources: tuple[str, ...], jobs: int | None, name: str, resumed: str | None, as_json: bool, **values: Any
) -> int:
    """Make many kernels faster under one budget.

    DIR's kernels are those below --threshold, and those not measured yet; a LIST is what `tilewright list` printed
    (with --slow or not, --json or not) or a path a line, `-` standard input. What --max-evaluations, --max-wall,
    --max-gpu-seconds, --max-usd and --max-tokens allow is shared by all. The GPU's next second goes to the kernel of
    which the most is to be expected. The same command again goes on with a batch that has not ended.
    """
    from rich.console import Console

    from tilewright.batching.running import work_on
    from tilewright.report.batch.lines import lines
    from tilewright.report.batch.page import write_report
    from tilewright.report.batch.screen import BatchScreen

    config = config_from(values)
    if bool(sources) == bool(resumed):
        raise UsageError("Give kernels (DIR, LIST or KERNEL), or --resume NAME; one of both.")
    if resumed:
        batch, config = _resumed(resumed, config)
    else:
        batch = _new(sources, name, config)
    screen = BatchScreen(Console(stderr=True), config.quiet or as_json, config.verbose)
    try:
        summary = work_on(batch, config, screen, jobs)
    finally:
        screen.close()
    if as_json:
        for record in records(summary):
            line(json.dumps(record))
    else:
        for text in lines(summary):
            line(text)
    click.echo(f"report: {write_report(summary, Path(config.results))}", err=True)
    if not summary.ended:
        why = f" ({summary.stop_detail})" if summary.stop_detail else ""
        click.echo(f"Not all kernels have ended{why}. Go on with: tilewright batch --resume {summary.name}", err=True)
    return _exit_code(summary)


def _new(sources: tuple[str, ...], name: str, config: OptimizationConfig) -> Batch:
    from tilewright.batching.book import begun_before, new_batch
    from tilewright.batching.chosen import chosen

    found = chosen(sources, config.threshold, sys.stdin)
    if found.fast or found.superseded:
        click.echo(
            f"left out: {found.fast} kernels at {config.threshold}x or faster, {found.superseded} with a faster "
            "kernel beside them",
            err=True,
        )
    if not found.kernels:
        raise UsageError("No kernel to work on. Others than the slow ones: --threshold RATIO")
    started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return begun_before(Path(config.results), new_batch(sources, found.kernels, config, name, started))


def _resumed(name: str, config: OptimizationConfig) -> tuple[Batch, OptimizationConfig]:
    """The batch and its options, with those given now in place of its own."""
    from tilewright.batching.book import find

    fixed = [f"--{name.replace('_', '-')}" for name in SAME_FOR_ALL_ATTEMPTS if name in config.explicit]
    if fixed:
        raise UsageError(f"{', '.join(fixed)}: what numbers are compared under can't change on the way.")
    batch = find(Path(config.results), name)
    merged = from_pairs(batch.options, config)
    return replace(batch, options=to_pairs(merged)), merged


def records(summary: Summary) -> list[dict[str, Any]]:
    """An object a kernel, then one for the batch: docs/json.md."""
    from tilewright.report.batch.rows import all_means, helped

    rows = [{**asdict(row), "limit_percent": row.limit and 100 * row.limit} for row in summary.rows]
    for row in rows:
        del row["limit"]
    last = {
        "batch": summary.name,
        "gpu": summary.gpu,
        "measured": summary.measured,
        "ended": summary.ended,
        "stop_reason": summary.stop_reason,
        "stop_detail": summary.stop_detail,
        "means": [asdict(mean) for mean in all_means(summary.rows)],
        "helped": [asdict(one) for one in helped(summary.rows)],
        "evaluations": summary.evaluations,
        "seconds": round(summary.seconds, 2),
        "gpu_seconds": round(summary.gpu_seconds, 3),
        "usd": summary.usd,
        "tokens": summary.tokens,
    }
    return [*rows, last]


def _exit_code(summary: Summary) -> int:
    """That of `optimize`, the highest of the runs; a kernel that can't be worked on is an answer."""
    if summary.stop_reason == "interrupted":
        return 130
    states = {row.state for row in summary.rows}
    if states & {"awaiting_answers", "awaiting_gpu"} or states == {"failed"}:
        return 2
    return 1 if states & {"machinery", "model_unavailable", "no_machine"} else 0
