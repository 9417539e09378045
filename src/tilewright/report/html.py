"""A run as one HTML file that needs no network."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from string import Template

from tilewright.records import Run
from tilewright.report.page import account, candidates, headline, progress, roofline, surface, timesplit, tree, way
from tilewright.report.page.known import Known
from tilewright.report.page.markup import Html, folded, joined, table, tag
from tilewright.report.page.shown import Shows, shows


def page(run: Run, known: Known) -> str:
    """The whole report. Sources lie in it compressed; what changed is worked out when somebody asks to see it."""
    header = masthead(name(run), subtitle(run))
    return filled(_title(run), header, "\n".join(parts(shows(run), known).values()), candidates.packed(run))


def parts(run: Shows, known: Known) -> dict[str, Html]:
    """What the page shows, by the names of its parts: the headline, links to the sections, the sections."""
    sections = {
        "What made it faster": way.way(run),
        "Turn by turn": progress.progress(run),
        "How near the limit": roofline.rooflines(run, known),
        "Where the time goes": timesplit.timesplits(run, known),
        "What holds it back": account.findings(run),
        "What was not verified": _listed(account.not_verified(run, known)),
        "What grew from what": tree.tree(run),
        "How it answers to its knobs": surface.surfaces(run),
        "Every candidate": candidates.candidates(run),
        "What it took": account.cost(run, known),
        "How to repeat it": _repeat(run, known),
    }
    links = tag("nav", *(tag("a", title, href=f"#{section_id(title)}") for title in sections), aria_label="Sections")
    written = {section_id(title): section(title, content) for title, content in sections.items()}
    return {"headline": headline.headline(run, known), "links": links, **written}


def section(title: str, content: Html) -> Html:
    """Content under a title that can be linked to."""
    return tag("section", tag("h2", title, id=section_id(title)), content, aria_labelledby=section_id(title))


def masthead(title: str, below: str) -> Html:
    """What a page is about, and the switch between light and dark."""
    return joined(
        tag("div", tag("h1", title), tag("p", below, class_="soft")),
        tag("button", "dark", type="button", id="theme", class_="needs-script"),
    )


def name(run: Run) -> str:
    return run.problem.name.replace("_", " ")


def subtitle(run: Run) -> str:
    return f"{run.kernel_path}, run {run.id}, {run.started}"


def picture(run: Run) -> str:
    """A page that holds the result and the plot of its turns alone, to be made a picture of."""
    shown = shows(run)
    number, over = headline.summary(shown)
    title = tag("h1", f"{name(run)} on {run.gpu}")
    result = tag("p", tag("span", number, class_="big"), f" {over}")
    plot = progress.plot(shown) if shown.attempts else None
    return filled(_title(run), "", joined(title, result, plot), "")


@cache
def asset(name: str) -> str:
    """A file of `data/report`: the style and the script of pages."""
    return files("tilewright").joinpath(f"data/report/{name}").read_text(encoding="utf-8")


def filled(title: str, header: str, body: str, sources: str) -> str:
    """A page of that title; `sources` are those of candidates, packed."""
    script = asset("page.js")
    return Template(asset("page.html")).substitute(
        title=tag("title", title),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        style=asset("page.css"),
        script=script,
        header=header,
        body=body,
        sources=sources,
    )


def _title(run: Run) -> str:
    return f"{run.problem.name}: tilewright report {run.id}"


def section_id(title: str) -> str:
    """What a link to it says."""
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
