"""tilewright resume RUN..."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tilewright.cli.options import config_from, run_options
from tilewright.cli.showing import final_record, lessons_awaited, show_waiting, watcher_for
from tilewright.errors import TilewrightError
from tilewright.owner import process_of

if TYPE_CHECKING:
    from tilewright.config import OptimizationConfig

SAME_FOR_ALL_ATTEMPTS = ("baselines", "error_factor", "backward")
"""What a run's numbers are compared under: it can't change on the way."""
_LEAVE_OUT = ("kernel_file", "list_slow", "generate", "out", *SAME_FOR_ALL_ATTEMPTS)


@click.command("resume")
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@run_options(leave_out=_LEAVE_OUT, of_a_run=True)
@click.option("--waiting", is_flag=True, help="All runs that wait for answers or for a GPU, or whose process died.")
@click.option("--json", "as_json", is_flag=True, help="Print the final record as JSON on standard output.")
def command(runs: tuple[str, ...], waiting: bool, as_json: bool, **values: Any) -> int:
    """Go on with each RUN: an id, a unique prefix, a kernel path or `last` (which is meant where none is given).

    Options given here replace the run's own, now and whenever it goes on again; all others are the run's. Where there
    is no GPU, a run that one judges goes on until a candidate is to be measured. Ends with the highest exit code of
    the runs.
    """
    from tilewright.cli.optimize import exit_code
    from tilewright.config import from_pairs
    from tilewright.targets import SharedWorkers
    from tilewright.wiring import resume

    config = config_from(values)
    if waiting:
        found = _found(Path(config.results))
        runs = (*runs, *found.runs)
        for name in found.ended:
            _take_lessons(name, config)
        for text in found.left:
            click.echo(text, err=True)
        if not runs:
            if not (found.ended or found.left):
                click.echo("No run waits for anything.", err=True)
            return 0
    worst, ended = 0, []
    with closing(SharedWorkers()) as shared:
        for name in runs or ("last",):
            watcher = watcher_for(quiet=config.quiet or as_json, verbose=config.verbose)
            try:
                outcome = resume(name, config, watcher, shared)
            except TilewrightError as error:
                if not waiting:
                    raise
                click.echo(f"run {name}: {error}", err=True)  # the others go on
                worst = max(worst, error.exit_code)
                continue
            own = from_pairs(outcome.run.settings, config)
            record = final_record(outcome, own.min_improvement, quiet=config.quiet, show=not as_json)
            if as_json:
                click.echo(json.dumps(record))
            ended.append(outcome)
            worst = max(worst, exit_code(outcome.run.stop_reason, record, own.target_speedup, None))
    show_waiting(ended)
    return worst


@dataclass(frozen=True)
class _Found:
    """Runs to go on with; those that ended and only learn; what is said of those that others must go on with."""

    runs: tuple[str, ...]
    ended: tuple[str, ...]
    left: tuple[str, ...]


def _found(results: Path) -> _Found:
    from tilewright.owner import alive
    from tilewright.wiring import open_store

    with closing(open_store(results)) as store:
        waiting = store.waiting()
        ended = tuple(run for run in waiting if not store.load(run).stop_reason.startswith("awaiting"))
        unfinished = store.unfinished()
    died = tuple(run for run, owner in unfinished if owner and not alive(owner))
    left = tuple(_unfinished(run, owner) for run, owner in unfinished if run not in died)
    return _Found((*(run for run in waiting if run not in ended), *died), ended, left)


def _unfinished(run: str, owner: str) -> str:
    at_work = f"process {process_of(owner)} works on it; had that died, go on on its machine"
    if not owner:
        at_work = "go on with it here"
    return f"run {run} has not ended: {at_work} with: tilewright resume {run}"


def _take_lessons(name: str, config: OptimizationConfig) -> None:
    from tilewright.wiring import take_lessons

    watcher = watcher_for(quiet=config.quiet, verbose=config.verbose)
    left = take_lessons(name, config, watcher)
    said = lessons_awaited(left) if left else "what its turns taught is among the lessons: tilewright lessons"
    click.echo(f"run {name}: {said}", err=True)
