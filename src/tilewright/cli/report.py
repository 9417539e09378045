"""tilewright report RUN"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tilewright.config import RESULTS_HELP
from tilewright.errors import UsageError

if TYPE_CHECKING:
    from tilewright.reporting import Format


@click.command("report")
@click.argument("run")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["html", "md", "json"]),
    default="html",
    show_default=True,
    help="A page, Markdown, or JSON; the last two go to standard output unless --out says where to.",
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="File to write, or - for standard output."
)
@click.option("--png", type=click.Path(path_type=Path, dir_okay=False), help="Write the main plot as a picture too.")
@click.option("--open", "open_", is_flag=True, help="Show the page in the browser.")
@click.option("--results", type=click.Path(path_type=Path), default="results", show_default=True, help=RESULTS_HELP)
def command(run: str, format_: Format, out: Path | None, png: Path | None, open_: bool, results: Path) -> None:
    """Report what RUN did: an id, a unique prefix, a kernel's path, or `last`.

    The page is one file that needs no network: RESULTS/reports/RUN.html unless --out says otherwise.
    """
    from tilewright.cli.showing import line
    from tilewright.hardware import known_as
    from tilewright.report.html import picture
    from tilewright.report.picture import write_png
    from tilewright.reporting import report, write_report
    from tilewright.wiring import open_store

    if open_ and (format_ != "html" or out == Path("-")):
        raise UsageError("--open shows a page: leave out --format and --out -.")
    store = open_store(results)
    try:
        found = store.load(store.find(run))
        interactions, gpu = store.interactions(found.id), store.gpu(found.id)
    finally:
        store.close()
    with known_as(gpu):
        if out == Path("-") or (out is None and format_ != "html"):
            sys.stdout.buffer.write(report(found, interactions, format_).encode("utf-8", "replace"))
            sys.stdout.buffer.flush()
        else:
            out = write_report(found, interactions, results, out, format_)
            line(str(out))
    if png is not None:
        write_png(picture(found), png)
        line(str(png))
    if open_ and out is not None:
        click.launch(out.resolve().as_uri())
