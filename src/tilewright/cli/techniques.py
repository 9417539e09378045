"""tilewright techniques"""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tilewright.cli.showing import line
from tilewright.config import RESULTS_HELP

if TYPE_CHECKING:
    from tilewright.crediting import Credit

_TITLES = {"proposer": "by proposer", "rewrite": "by rewrite", "recognised": "by what the change shows"}


@click.command("techniques")
@click.option("--results", type=click.Path(path_type=Path), default="results", show_default=True, help=RESULTS_HELP)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a technique and family, one a line.")
def command(results: Path, as_json: bool) -> None:
    """Say which techniques helped where in stored runs: for each and each family of operations how often it was tried
    (and alone), right, and faster by more than 2 %, and the median of its speed over that of the kernel before."""
    from tilewright.crediting import credits
    from tilewright.store import existing_store

    with closing(existing_store(results)) as store:
        found = credits(store.load(run) for run in store.runs())
    if as_json:
        for credit in found:
            line(json.dumps(asdict(credit)))
        return
    for text in _table(found):
        line(text)
    if not found:
        click.echo("No changes yet: runs of optimize and tune leave them.", err=True)


def _table(found: list[Credit]) -> list[str]:
    width = max((len(credit.technique) for credit in found), default=0)
    lines = []
    for kind, title in _TITLES.items():
        rows = [credit for credit in found if credit.kind == kind]
        if rows:
            head = f"{'family':16}  {'tries':>5}  {'alone':>5}  {'right':>5}  {'> 2 %':>5}"
            lines += ["", f"{title:{width}}  {head}  median"]
            lines += [_row(credit, width) for credit in rows]
    return lines[1:]


def _row(credit: Credit, width: int) -> str:
    counts = "  ".join(f"{count:5}" for count in (credit.tries, credit.alone, credit.correct, credit.gains))
    return f"{credit.technique:{width}}  {credit.family:16}  {counts}  {_median(credit)}"


def _median(credit: Credit) -> str:
    if credit.median is None:
        return "not known"
    interval = f" [{credit.interval[0]:.3f}, {credit.interval[1]:.3f}]" if credit.interval else ""
    return f"{'' if credit.measured else 'est. '}{credit.median:.3f}x{interval}"
