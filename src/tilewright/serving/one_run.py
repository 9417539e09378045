"""The page of one run: what its report shows, as far as the run has come."""

from __future__ import annotations

from tilewright.report import html
from tilewright.report.page.known import Known
from tilewright.report.page.markup import Html, tag
from tilewright.report.page.shown import Shows
from tilewright.serving.following import State
from tilewright.serving.live import View


def view(run: Shows, known: Known, state: State) -> View:
    above = {"where": tag("nav", tag("a", "All runs", href="/"), aria_label="Pages"), "state": _state(run, state)}
    return View(html.name(run.run), html.subtitle(run.run), {**above, **html.parts(run, known)})


def _state(run: Shows, state: State) -> Html:
    """What the report's headline can't know: whether somebody still works on it."""
    if state == "killed":
        command = f"tilewright resume {run.run.id}"
        return tag("p", f"The process that worked on it is gone. To go on with it: {command}", class_="state killed")
    if state == "going on":
        return tag("p", f"Going on: {len(run.attempts)} candidates so far.", class_="state going-on")
    return Html()
