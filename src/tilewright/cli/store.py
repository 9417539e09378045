"""tilewright store merge OTHER..."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tilewright.cli.showing import line
from tilewright.config import RESULTS_HELP

if TYPE_CHECKING:
    from tilewright.merging import Merged


@click.group("store")
def command() -> None:
    """Look after the store of runs and evaluations, RESULTS/tilewright.db."""


@command.command("merge")
@click.argument("others", metavar="OTHER...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--results", type=click.Path(path_type=Path), default="results", show_default=True, help=RESULTS_HELP)
@click.option("--json", "as_json", is_flag=True, help="Print the answer as one JSON object.")
def merge_command(others: tuple[Path, ...], results: Path, as_json: bool) -> None:
    """Bring the runs, evaluations and lessons of OTHER stores into that of --results; the others are only read.

    OTHER is a tilewright.db, or the folder that holds one. Merging twice changes nothing, and the order doesn't
    matter. A run that went on on two machines stays in both states, the second under an id of its own.
    """
    from tilewright.merging import merge

    merged = merge(results, others)
    if as_json:
        line(json.dumps(_record(merged)))
        return
    for text in _words(merged):
        line(text)
    if merged.waiting:
        click.echo(f"{len(merged.waiting)} of these runs wait: tilewright resume --waiting", err=True)


def _record(merged: Merged) -> dict[str, Any]:
    return {
        "runs": list(merged.runs),
        "continued": list(merged.continued),
        "diverged": [{"run": there, "here": here} for there, here in merged.diverged],
        "evaluations": merged.evaluations,
        "lessons": merged.lessons,
        "waiting": list(merged.waiting),
    }


def _words(merged: Merged) -> list[str]:
    if merged.nothing:
        return ["nothing new: everything was here"]
    words = [f"{len(merged.runs)} runs, {merged.evaluations} evaluations and {merged.lessons} lessons more"]
    if merged.continued:
        words.append(f"went on elsewhere: {', '.join(merged.continued)}")
    for there, here in merged.diverged:
        words.append(f"run {there} went on there and here: its other state is {here}")
    return words
