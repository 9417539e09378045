"""tilewright compile-prompts RUN... --out FILE"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from tilewright.cli.options import config_from, run_options
from tilewright.cli.showing import watcher_for
from tilewright.config import OptimizationConfig

_TAKEN = (
    "model",
    "temperature",
    "api_base",
    "max_usd",
    "max_tokens",
    "program",
    "gpu",
    "evaluator",
    "results",
    "quiet",
    "verbose",
)
_LEAVE_OUT = tuple(item.name for item in dataclasses.fields(OptimizationConfig) if item.name not in _TAKEN)


@click.command("compile-prompts")
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="File to write, for --program.")
@click.option("--turns", type=click.IntRange(1), default=8, show_default=True, help="Recorded turns that are played.")
@click.option("--plays", type=click.IntRange(1), default=40, show_default=True, help="How often one is, at most.")
@run_options(leave_out=_LEAVE_OUT)
def command(runs: tuple[str, ...], out: Path, turns: int, plays: int, **values: Any) -> None:
    """Better the instructions that a model gets, by playing turns of each recorded RUN again (GEPA; all by default).

    A play is an analysis, a plan, a module and at most one repair, judged by gates and evaluator as in the run.
    """
    from tilewright.compiling import compile_prompts, write_program
    from tilewright.report.terminal import QuietWatcher

    config = config_from(values)
    watcher = watcher_for(quiet=config.quiet, verbose=config.verbose) or QuietWatcher()
    found = compile_prompts(runs, config, turns, plays, watcher)
    scores = f"mean score of {found.turns} turns {found.before:.3f}"
    if found.stopped:
        click.echo(f"Ended early: {found.stopped}", err=True)
    if not found.instructions:
        click.echo(f"No better instructions were found: {scores}; nothing was written.", err=True)
        return
    write_program(found, config.model, out)
    click.echo(f"{scores} -> {found.after:.3f} ({', '.join(found.instructions)}). Use it: --program {out}", err=True)
