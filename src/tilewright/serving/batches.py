"""The page of a batch: how far its kernels have come, with links to their runs; and the list of batches."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from tilewright.batching.book import Batch
from tilewright.report.batch import page
from tilewright.report.batch.lines import used_line
from tilewright.report.batch.rows import Summary
from tilewright.report.page.markup import Html, tag
from tilewright.serving.live import View


def view(batch: Batch, summary: Summary) -> View:
    parts = page.parts(summary, lambda run: f"/runs/{quote(run)}")
    working = sum(row.state == "going on" for row in summary.rows)
    if working:
        parts["why"] = tag(
            "p", f"Going on: {working} of {len(summary.rows)} kernels are worked on now.", class_="state going-on"
        )
    above = {
        "where": tag("nav", tag("a", "All runs", href="/"), aria_label="Pages"),
        "used": tag("p", used_line(summary), class_="soft"),
    }
    return View(page.title(summary), f"begun {batch.started}", {**above, **parts})


def listed(batches: Sequence[Batch]) -> Html:
    """Links to their pages; empty where there are none."""
    if not batches:
        return Html()
    links = [
        tag("li", tag("a", batch.name, href=f"/batches/{quote(batch.name)}"), f" ({_ended(batch)})")
        for batch in batches
    ]
    return tag("nav", tag("b", "Batches"), tag("ul", *links, class_="facts"), aria_label="Batches")


def _ended(batch: Batch) -> str:
    return f"{sum(place.ended for place in batch.places)} of {len(batch.places)} kernels ended"
