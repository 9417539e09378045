"""tilewright optimize KERNEL"""

from __future__ import annotations

import json
from typing import Any

import click

from tilewright.cli.options import config_from, run_options
from tilewright.cli.showing import final_record, listing_of_slow, show_waiting, watcher_for
from tilewright.errors import UsageError


@click.command("optimize")
@click.argument("kernel", required=False)
@run_options(leave_out=("generate", "optimize", "out"))
@click.option("--json", "as_json", is_flag=True, help="Print the final record as JSON on standard output.")
@click.option("--fail-on", type=click.Choice(["rejected", "below-target"]), help="Exit with 3 on this answer.")
def command(kernel: str | None, as_json: bool, fail_on: str | None, **values: Any) -> int:
    """Make KERNEL faster, turn by turn.

    KERNEL is a path, a corpus name such as level2/2_10.py or 2_10, PATH:FUNCTION, or a task file (TOML).
    """
    config = config_from(values)
    if kernel and config.kernel_file and kernel != config.kernel_file:
        raise UsageError(f"two kernels: {kernel} and --kernel {config.kernel_file}. Give one.")
    if kernel:
        config.kernel_file = kernel
    if bool(config.kernel_file) == config.list_slow:
        raise UsageError(
            "Give --kernel PATH to optimise one kernel, or --list-slow to see the slow ones; one of both."
        )
    if config.list_slow:
        return listing_of_slow(config.threshold)
    return run(config, as_json, fail_on)


def run(config: Any, as_json: bool, fail_on: str | None) -> int:
    """Optimise, show it, and answer with the exit code."""
    from tilewright.wiring import main

    outcome = main(config, watcher_for(quiet=config.quiet or as_json, verbose=config.verbose))
    record = final_record(outcome, config.min_improvement, quiet=config.quiet, show=not as_json)
    if as_json:
        click.echo(json.dumps(record))
    show_waiting([outcome])
    return exit_code(outcome.run.stop_reason, record, config.target_speedup, fail_on)


def exit_code(stop_reason: str, record: dict[str, Any], target: float, fail_on: str | None) -> int:
    if stop_reason in ("machinery", "model_unavailable", "no_machine"):
        return 1
    if stop_reason in ("awaiting_answers", "awaiting_gpu"):
        return 2
    if stop_reason == "interrupted":
        return 130
    if fail_on == "rejected" and stop_reason in ("seed_wrong", "seed_failed"):
        return 3
    best = record["best"] or {}
    if fail_on == "below-target" and (best.get("speedup_ratio") or 0.0) < target:
        return 3
    return 0
