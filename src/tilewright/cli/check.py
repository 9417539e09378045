"""tilewright check KERNEL..."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from tilewright.cli.showing import line
from tilewright.config import GPU_HELP


@click.command("check")
@click.argument("kernels", nargs=-1, required=True)
@click.option("--reference", help="PyTorch reference: FILE, or FILE:FUNCTION for a plain function.")
@click.option("--problems", type=click.Path(path_type=Path), help="Folder with references.")
@click.option("--inputs", help='Shapes of a function: "fp16[4096,4096] fp16[4096,4096]".')
@click.option("--precision", type=click.Choice(["fp16", "bf16", "fp32"]), default="fp16", show_default=True)
@click.option("--gpu", default="H100", show_default=True, help=GPU_HELP)
@click.option("--budget", default=60.0, show_default=True, help="Seconds of execution on the CPU per kernel.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a kernel, one a line.")
@click.option("--fail-on", type=click.Choice(["rejected"]), help="Exit with 3 when a kernel is rejected.")
def command(kernels: tuple[str, ...], as_json: bool, fail_on: str | None, **values: Any) -> int:
    """Look for mistakes in KERNELS without a GPU: rules, compiler, and execution on the CPU."""
    from tilewright.judge import check

    rejected = 0
    for answer in check(kernels, **values):
        rejected += answer["verdict"] == "rejected"
        line(json.dumps(answer) if as_json else _words(answer))
    return 3 if rejected and fail_on else 0


def _words(answer: dict[str, Any]) -> str:
    lines = [f"{answer['kernel']}: {answer['verdict'].replace('_', ' ')} ({answer['seconds']:.1f} s)"]
    for reason in answer["reasons"]:
        where = f" line {reason['line']}" if reason["line"] else ""
        lines.append(f"  {reason['rule']}{where}: {reason['message']}")
    executed = answer["executed"]
    if executed:
        reduced = f", {executed['batch_reduced']}" if executed["batch_reduced"] else ""
        lines.append(f"  executed {executed['blocks']} of {executed['of']} blocks{reduced}")
    return "\n".join(lines)
