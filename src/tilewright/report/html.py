"""A run as one HTML file that needs no network."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from string import Template

from tilewright.records import Run
from tilewright.report.page import account, candidates, headline, progress, roofline, surface, timesplit, tree
from tilewright.report.page.known import Known
from tilewright.report.page.markup import Html, folded, joined, table, tag
from tilewright.report.page.shown import Shows, shows


def page(run: Run, known: Known) -> str:
    """The whole report. Sources lie in it compressed; what changed is worked out when somebody asks to see it."""
    shown = shows(run)
    sections = {
        "Turn by turn": progress.progress(shown),
        "How near the limit": roofline.rooflines(shown, known),
        "Where the time goes": timesplit.timesplits(shown, known),
        "What holds it back": account.findings(shown),
        "What was not verified": _listed(account.not_verified(shown, known)),
        "What grew from what": tree.tree(shown),
        "How it answers to its knobs": surface.surfaces(shown),
        "Every candidate": candidates.candidates(shown),
        "What it took": account.cost(shown, known),
        "How to repeat it": _repeat(shown, known),
    }
    links = tag("nav", *(tag("a", title, href=f"#{_id(title)}") for title in sections), aria_label="Sections")
    written = [_section(title, content) for title, content in sections.items()]
    header = joined(
        tag("div", tag("h1", _name(run)), tag("p", f"{run.kernel_path}, run {run.id}, {run.started}", class_="soft")),
        tag("button", "dark", type="button", id="theme", class_="needs-script"),
    )
    body = "\n".join([headline.headline(shown, known), links, *written])
    return _filled(run, header, body, candidates.packed(run))


def picture(run: Run) -> str:
    """A page that holds the result and the plot of its turns alone, to be made a picture of."""
    shown = shows(run)
    number, over = headline.summary(shown)
    title = tag("h1", f"{_name(run)} on {run.gpu}")
    result = tag("p", tag("span", number, class_="big"), f" {over}")
    plot = progress.plot(shown) if shown.attempts else None
    return _filled(run, "", joined(title, result, plot), "")


def _filled(run: Run, header: str, body: str, sources: str) -> str:
    script = _data("page.js")
    return Template(_data("page.html")).substitute(
        title=tag("title", f"{run.problem.name}: tilewright report {run.id}"),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        style=_data("page.css"),
        script=script,
        header=header,
        body=body,
        sources=sources,
    )


def _name(run: Run) -> str:
    return run.problem.name.replace("_", " ")


def _section(title: str, content: Html) -> Html:
    return tag("section", tag("h2", title, id=_id(title)), content, aria_labelledby=_id(title))


def _id(title: str) -> str:
    return title.lower().replace(" ", "-")


def _listed(sentences: tuple[str, ...]) -> Html:
    return tag("ul", *(tag("li", sentence) for sentence in sentences)) if sentences else tag("p", "Nothing is known.")


def _repeat(run: Shows, known: Known) -> Html:
    options = [[name, value] for name, value in run.run.settings if name != "explicit"]
    return tag(
        "div",
        tag("pre", "\n".join(known.reproduce), class_="command", tabindex="0"),
        tag("p", f"Written by tilewright {known.version}."),
        tag("ul", *(tag("li", note) for note in run.run.notes)),
        folded("Every option", table(["option", "value"], options, "Options of the run")) if options else None,
        folded("The reference", tag("pre", run.run.problem.source, tabindex="0")),
    )


@cache
def _data(name: str) -> str:
    return files("tilewright").joinpath(f"data/report/{name}").read_text(encoding="utf-8")
