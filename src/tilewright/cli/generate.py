"""tilewright generate REFERENCE"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tilewright.cli.options import config_from, run_options
from tilewright.errors import UsageError

_NOT_HERE = ("kernel_file", "list_slow", "threshold", "generate", "optimize", "reference", "repair")


@click.command("generate")
@click.argument("reference", required=False)
@click.option("--level", type=int, help="Level of a KernelBench problem, with --problem-id.")
@click.option("--problem-id", "--problem_id", type=int, help="Number of the problem in its level.")
@click.option(
    "--dataset-src",
    "--dataset_src",
    type=click.Choice(["local", "huggingface"]),
    default="local",
    show_default=True,
    help="Where a problem given by its number is looked for.",
)
@click.option("--optimize", is_flag=True, help="Go on to make it faster; else the first right kernel ends the run.")
@run_options(leave_out=_NOT_HERE)
@click.option("--json", "as_json", is_flag=True, help="Print the final record as JSON on standard output.")
def command(
    reference: str | None,
    level: int | None,
    problem_id: int | None,
    dataset_src: Any,
    optimize: bool,
    as_json: bool,
    **values: Any,
) -> int:
    """Write a first TileLang kernel for REFERENCE, a PyTorch module in a file or FILE:FUNCTION.

    Or for a KernelBench problem: --level 2 --problem-id 10.
    """
    from tilewright.cli.optimize import run
    from tilewright.generating import reference_file

    if (reference is None) == (level is None or problem_id is None):
        raise UsageError("Give a reference, or a problem by --level and --problem-id.")
    config = config_from(values)
    if reference is None and level is not None and problem_id is not None:
        problems = Path(config.problems) if config.problems else None
        reference = str(reference_file(level, problem_id, dataset_src, problems, Path(config.results)))
    config.kernel_file, config.generate, config.optimize = reference, True, optimize
    return run(config, as_json, None)
