"""tilewright report RUN"""

from __future__ import annotations

import json
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tilewright.cli.showing import line
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
    """Report what RUN did: an id, a unique prefix, a kernel's path, or `last`; or the name of a batch.

    The page is one file that needs no network: RESULTS/reports/RUN.html unless --out says otherwise.
    """
    from tilewright.batching.book import is_one
    from tilewright.report.file import write
    from tilewright.report.picture import write_png

    if open_ and (format_ != "html" or out == Path("-")):
        raise UsageError("--open shows a page: leave out --format and --out -.")
    made = (_of_batch if is_one(results, run) else _of_run)(run, format_, results)
    path = out or (made.page if format_ == "html" else Path("-"))
    if path == Path("-"):
        sys.stdout.buffer.write(made.text.encode("utf-8", "replace"))
        sys.stdout.buffer.flush()
    else:
        write(path, made.text, f"tilewright report {run} --out FILE")
        line(str(path))
    if png is not None:
        page, height = made.picture
        write_png(page, png, height=height)
        line(str(png))
    if open_:
        click.launch(path.resolve().as_uri())


@dataclass(frozen=True)
class _Made:
    """A report, where its page usually lies, and the page of which a picture is made with its height."""

    text: str
    page: Path
    picture: tuple[str, int]


def _of_run(name: str, format_: Format, results: Path) -> _Made:
    from tilewright.hardware import known_as
    from tilewright.report.html import picture
    from tilewright.reporting import page_of, report
    from tilewright.wiring import open_store

    with closing(open_store(results)) as store:
        run = store.load(store.find(name))
        interactions, gpu = store.interactions(run.id), store.gpu(run.id)
    with known_as(gpu):
        return _Made(report(run, interactions, format_), page_of(run.id, results), (picture(run), 520))


def _of_batch(name: str, format_: Format, results: Path) -> _Made:
    from tilewright.batching.book import find
    from tilewright.batching.running import stored
    from tilewright.batching.summing import row, summed
    from tilewright.cli.batch import records
    from tilewright.hardware import known_as
    from tilewright.lm import spent_on
    from tilewright.report.batch import page
    from tilewright.wiring import open_store

    batch = find(results, name)
    runs, asked = stored(batch, results)
    rows = {}
    with closing(open_store(results)) as store:
        for run in runs.values():
            with known_as(store.gpu(run.id)):
                rows[run.id] = row(run, run.stop_reason or "has not ended")
    found = summed(batch, rows, [run.gpu for run in runs.values()], spent_on(asked))
    if format_ == "json":
        text = "".join(f"{json.dumps(record)}\n" for record in records(found))
    else:
        text = page.page(found) if format_ == "html" else page.markdown(found)
    return _Made(text, page.page_of(found.name, results), page.picture(found))
