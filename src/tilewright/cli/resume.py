"""tilewright resume RUN"""

from __future__ import annotations

import json
from typing import Any

import click

from tilewright.cli.options import config_from, run_options
from tilewright.cli.showing import final_record, watcher_for

SAME_FOR_ALL_ATTEMPTS = ("baselines", "error_factor", "backward")
"""What a run's numbers are compared under: it can't change on the way."""


@click.command("resume")
@click.argument("run", default="last")
@run_options(leave_out=("kernel_file", "list_slow", *SAME_FOR_ALL_ATTEMPTS))
@click.option("--json", "as_json", is_flag=True, help="Print the final record as JSON on standard output.")
def command(run: str, as_json: bool, **values: Any) -> int:
    """Go on with RUN: an id, a unique prefix, a kernel path or `last`.

    Options given here replace those the run was started with.
    """
    from tilewright.cli.optimize import exit_code
    from tilewright.wiring import resume

    config = config_from(values)
    outcome = resume(run, config, watcher_for(quiet=config.quiet or as_json, verbose=config.verbose))
    record = final_record(outcome, config.min_improvement, quiet=config.quiet, show=not as_json)
    if as_json:
        click.echo(json.dumps(record))
    return exit_code(outcome.run.stop_reason, record, config.target_speedup, None)
