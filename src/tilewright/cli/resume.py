"""tilewright resume RUN..."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from tilewright.cli.options import config_from, run_options
from tilewright.cli.showing import final_record, watcher_for

SAME_FOR_ALL_ATTEMPTS = ("baselines", "error_factor", "backward")
"""What a run's numbers are compared under: it can't change on the way."""
_LEAVE_OUT = ("kernel_file", "list_slow", "generate", "out", *SAME_FOR_ALL_ATTEMPTS)


@click.command("resume")
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@run_options(leave_out=_LEAVE_OUT)
@click.option("--waiting", is_flag=True, help="All runs that wait for answers or for a GPU, one after another.")
@click.option("--json", "as_json", is_flag=True, help="Print the final record as JSON on standard output.")
def command(runs: tuple[str, ...], waiting: bool, as_json: bool, **values: Any) -> int:
    """Go on with each RUN: an id, a unique prefix, a kernel path or `last` (which is meant where none is given).

    Options given here replace those a run was started with. Where there is no GPU, a run that one judges goes on
    until a candidate is to be measured. Ends with the highest exit code of the runs.
    """
    from tilewright.cli.optimize import exit_code
    from tilewright.wiring import SharedWorkers, open_store, resume

    config = config_from(values)
    if waiting:
        store = open_store(Path(config.results))
        runs = (*runs, *store.waiting())
        store.close()
        if not runs:
            click.echo("No run waits for anything.", err=True)
            return 0
    worst = 0
    with closing(SharedWorkers()) as shared:
        for name in runs or ("last",):
            watcher = watcher_for(quiet=config.quiet or as_json, verbose=config.verbose)
            outcome = resume(name, config, watcher, shared)
            record = final_record(outcome, config.min_improvement, quiet=config.quiet, show=not as_json)
            if as_json:
                click.echo(json.dumps(record))
            worst = max(worst, exit_code(outcome.run.stop_reason, record, config.target_speedup, None))
    return worst
