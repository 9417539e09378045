"""tilewright analyze KERNEL..."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from tilewright.cli.showing import line
from tilewright.config import EVALUATORS, GPU_HELP


@click.command("analyze")
@click.argument("kernels", nargs=-1, required=True)
@click.option("--reference", help="PyTorch reference: FILE, or FILE:FUNCTION for a plain function.")
@click.option("--problems", type=click.Path(path_type=Path), help="Folder with references.")
@click.option("--inputs", help='Shapes of a function: "fp16[4096,4096] fp16[4096,4096]".')
@click.option(
    "--precision",
    type=click.Choice(["fp16", "bf16", "fp32"]),
    default="fp16",
    show_default=True,
    help="Dtype of the task.",
)
@click.option("--workload", multiple=True, help="Named size of the reference; may be repeated.")
@click.option("--gpu", help=GPU_HELP)
@click.option(
    "--evaluator",
    type=click.Choice(EVALUATORS),
    default="auto",
    show_default=True,
    help="local: on a GPU here. offline: without one. auto: on one where there is one.",
)
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
