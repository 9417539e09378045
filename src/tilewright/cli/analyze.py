"""tilewright analyze KERNEL..."""

from __future__ import annotations

import json
from typing import Any

import click

from tilewright.cli.options import evaluator_option, task_options
from tilewright.cli.showing import line
from tilewright.config import GPU_HELP


@click.command("analyze")
@click.argument("kernels", nargs=-1, required=True)
@task_options
@click.option("--workload", multiple=True, help="Named size of the reference; may be repeated.")
@click.option("--gpu", help=GPU_HELP)
@evaluator_option
@click.option("--counters", is_flag=True, help="Read hardware counters too (ncu); this runs outside of the sandbox.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a kernel, one a line.")
def command(kernels: tuple[str, ...], as_json: bool, **values: Any) -> None:
    """Say what holds KERNELS back, how far from the limit they are, and where their time goes."""
    from tilewright.judge import analyze
    from tilewright.report import analysis

    for number, found in enumerate(analyze(kernels, **values)):
        if as_json:
            line(json.dumps(analysis.fields(found), allow_nan=False))
        else:
            line(("\n" if number else "") + analysis.text(found))
