"""tilewright tune KERNEL"""

from __future__ import annotations

from typing import Any

import click

from tilewright.cli.options import config_from, run_options


@click.command("tune")
@click.argument("kernel")
@click.option("--budget", type=int, default=24, show_default=True, help="Settings tried at most.")
@run_options(leave_out=("kernel_file", "list_slow", "tune_budget", "candidates", "max_iterations", "model", "search"))
@click.option("--json", "as_json", is_flag=True, help="Print the final record as JSON on standard output.")
def command(kernel: str, budget: int, as_json: bool, **values: Any) -> int:
    """Search KERNEL's knobs (tiles, threads, stages, ...) and leave its structure alone."""
    from tilewright.cli.optimize import run

    config = config_from(values)
    config.kernel_file = kernel
    config.model = "none"
    config.candidates = 0
    config.max_iterations = 1
    config.tune_budget = budget
    if "target_speedup" not in config.explicit:
        config.target_speedup = 1e9  # a knob search ends when its budget does
    return run(config, as_json, None)
