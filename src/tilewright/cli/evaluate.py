"""tilewright evaluate KERNEL..."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import click

from tilewright.cli.options import evaluator_option, task_options
from tilewright.cli.showing import line
from tilewright.config import BACKWARD_HELP, BASELINES_HELP, ERROR_FACTOR_HELP, GPU_HELP, RESULTS_HELP


@click.command("evaluate")
@click.argument("kernels", nargs=-1, required=True)
@task_options
@click.option("--workload", multiple=True, help="Named size of the reference; may be repeated.")
@click.option("--device", type=click.Choice(["cuda", "cpu"]), help="Where to run; a CUDA GPU where there is one.")
@click.option("--gpu", help=f"Where there is none to measure on: {GPU_HELP}")
@evaluator_option
@click.option(
    "--policy",
    type=click.Choice(["report", "own-kernels"]),
    default="report",
    show_default=True,
    help="What to do about library calls in the kernel.",
)
@click.option(
    "--effort",
    type=click.Choice(["quick", "full", "confirm"]),
    default="full",
    show_default=True,
    help="quick: fewer checks and pairs. confirm: three times, in fresh processes, as a run measures a new best.",
)
@click.option("--baselines", default="eager", show_default=True, help=BASELINES_HELP)
@click.option("--error-factor", type=float, default=16.0, show_default=True, help=ERROR_FACTOR_HELP)
@click.option("--backward", is_flag=True, help=BACKWARD_HELP)
@click.option("--results", type=click.Path(path_type=Path), default="results", show_default=True, help=RESULTS_HELP)
@click.option("--write-header", is_flag=True, help="Write measured results into the kernels' docstrings.")
@click.option("--samples", type=click.Path(path_type=Path), help="Append every result with its raw pairs (JSONL).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a kernel, one a line.")
@click.option("--fail-on", type=click.Choice(["rejected"]), help="Exit with 3 when a kernel is not right.")
def command(kernels: tuple[str, ...], as_json: bool, fail_on: str | None, **values: Any) -> int:
    """Verify and time KERNELS as they are."""
    from tilewright.judge import evaluate

    failed = 0
    for answer in evaluate(kernels, note=partial(click.echo, err=True), **values):
        failed += answer["outcome"] not in ("measured", "verified", "estimated")
        line(json.dumps(answer) if as_json else _words(answer))
        if values["write_header"] and answer["outcome"] != "measured":
            click.echo(f"{answer['kernel']}: no header was written, for nothing was measured", err=True)
    return 3 if failed and fail_on else 0


def _words(answer: dict[str, Any]) -> str:
    return f"{answer['kernel']}: {answer['text']}\n  evaluation {answer['id']} (tilewright recheck {answer['id']})"
