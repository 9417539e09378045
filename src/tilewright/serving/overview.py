"""The page of all runs: which there are, what came of them, which to compare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args
from urllib.parse import quote

from tilewright.records import Run
from tilewright.report import html
from tilewright.report.page import headline
from tilewright.report.page.markup import Html, tag
from tilewright.report.page.shown import shows
from tilewright.serving.following import Entry, State
from tilewright.serving.live import View


def view(batches: Html, rows: Sequence[Html], folder: str, most: int) -> View:
    """Of links to batches, and rows that `row` made, the newest first; `most` is how many there can be."""
    # a form, so that two runs can be compared without scripts too
    listed = tag("form", _controls(len(rows)), tag("ul", *rows, class_="runs", id="runs"), action="/compare")
    none = tag("p", "No run yet. Start one and it appears here: tilewright optimize KERNEL --model none")
    older = tag("p", f"These are the newest {most}. Of an older one: tilewright report RUN", class_="soft")
    note = none if not rows else older if len(rows) == most else Html()
    return View("Runs", f"in {folder}", {"batches": batches, "runs": listed, "note": note})


def row(entry: Entry, run: Run) -> Html:
    number, over = headline.summary(shows(run))
    return tag(
        "li",
        tag("input", type="checkbox", name_="run", value=run.id, aria_label=f"choose run {run.id} to compare"),
        tag(
            "div",
            tag("a", html.name(run), href=f"/runs/{quote(run.id)}"),
            tag("p", f"on {run.gpu}: {html.subtitle(run)}", class_="soft"),
            class_="what",
        ),
        tag(
            "div",
            tag("p", tag("b", number), f" {over}"),
            tag(
                "p",
                tag("span", state(entry), class_=f"state {entry.state.replace(' ', '-')}"),
                f", {_counted(entry.attempts)}",
                class_="soft",
            ),
            class_="came",
        ),
        id=f"run-{run.id}",
        data_fate=entry.state,
    )


def state(entry: Entry) -> str:
    return f"ended: {entry.stop_reason}" if entry.state == "ended" else entry.state


def _counted(candidates: int) -> str:
    return "1 candidate" if candidates == 1 else f"{candidates} candidates"


def _controls(count: int) -> Html:
    options = [tag("option", "all", value=""), *(tag("option", each, value=each) for each in get_args(State))]
    return tag(
        "p",
        tag("label", "Show ", tag("select", *options, id="fate"), class_="needs-script"),
        tag("label", " with the words ", tag("input", id="words", type="search"), class_="needs-script"),
        tag("button", "Compare", id="compare"),
        tag("span", f"{count} of {count}", id="count", role="status", class_="needs-script"),
        class_="filter",
    )
