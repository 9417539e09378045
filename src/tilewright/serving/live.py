"""What does a page hold, and which parts of it are new to a browser?

A browser says what it has by a digest of each part, which it was told; so the server remembers nothing of it, and a
page goes on after the server was started again.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from string import Template

from tilewright.report import html
from tilewright.report.page.markup import Html, joined, tag


@dataclass(frozen=True)
class View:
    """A page: what it is about, and its parts in order, by names that stay. `below` is the line below the title."""

    title: str
    below: str
    parts: Mapping[str, Html]


def document(view: View, events: str, sources: str = "") -> str:
    """The whole page. `events` is where it hears of changes, `sources` where kernels' sources are to be had."""
    header = joined(
        html.masthead(view.title, view.below),
        tag("p", "connecting", id="live", class_="soft needs-script", role="status"),
    )
    return Template(_asset("live.html")).substitute(
        title=tag("title", _title(view)),
        events=tag("meta", name_="events", content=events),
        has=tag("meta", name_="has", content=digests(view)),
        style=_style(),
        header=header,
        body=joined(*(tag("div", content, data_part=name) for name, content in view.parts.items())),
        sources=tag("script", type="application/octet-stream", id="sources", data_at=sources),
        script=_script(),
    )


def digests(view: View) -> str:
    """What somebody has who has this page: a digest of what it is made of, then of each part."""
    return ".".join([_digest(_program() + " ".join(view.parts)), *(_digest(part) for part in view.parts.values())])


def outdated(view: View, has: str) -> bool:
    """Whether that is what a page has that another version of this program made."""
    return has.split(".")[0] != digests(view).split(".")[0]


def news(view: View, has: str) -> str | None:
    """What is new to somebody who has that and is not outdated, as JSON; None where nothing is."""
    new = {
        name: part
        for (name, part), had, now in zip(view.parts.items(), has.split(".")[1:], digests(view).split(".")[1:])
        if had != now
    }
    return json.dumps({"title": _title(view), "parts": new}) if new else None


@cache
def policy() -> str:
    """What a page may do (Content-Security-Policy): run its own script, and ask this server alone."""
    script = base64.b64encode(hashlib.sha256(_script().encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{script}'; style-src 'unsafe-inline'; connect-src 'self'; "
        "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def _title(view: View) -> str:
    return f"{view.title} - tilewright"


@cache
def _program() -> str:
    return _digest(_asset("live.html") + _style() + _script())


def _digest(text: str) -> str:
    return hashlib.blake2s(text.encode("utf-8", "replace"), digest_size=6).hexdigest()


def _style() -> str:
    return html.asset("page.css") + _asset("live.css")


def _script() -> str:
    return html.asset("page.js") + _asset("live.js")


@cache
def _asset(name: str) -> str:
    return files("tilewright").joinpath(f"data/serving/{name}").read_text(encoding="utf-8")
