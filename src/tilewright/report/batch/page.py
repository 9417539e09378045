"""A batch as one HTML file that needs no network, and as Markdown: the kernels, means and spread, what helped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tilewright.report import words
from tilewright.report.batch.lines import mean_line, ratio, stopped, used_line
from tilewright.report.batch.rows import Mean, Row, Summary, all_means, helped, short_names
from tilewright.report.file import write
from tilewright.report.html import filled, masthead, section, section_id
from tilewright.report.markdown import plain
from tilewright.report.page.axes import WIDTH, Scale, label, marker, scale, svg
from tilewright.report.page.markup import Html, joined, table, tag, text

_KERNELS = ["kernel", "gain", "before", "best", "limit", "candidates", "family", "stopped"]
_MEANS = ["group", "kernels", "before", "best", "gain"]
_HELPED = ["what", "times", "ratio of each"]
_CAPTIONS = {
    "Means": (
        "Geometric means; before and best: over the baseline; gain: over the kernels they began with",
        range(1, 5),
    ),
    "Kernels": ("What gained most first. Limit: how much of what the GPU allows the best reaches", range(1, 6)),
    "What helped": ("Steps on the way to the best kernels, what brought most first", range(1, 3)),
}
"""And which columns are numbers."""
PageOfRun = Callable[[str], str]
"""Where the page of a run is, by its id; "" where it has none."""
_LEFT, _RIGHT, _LINE = 150, WIDTH - 14, 30
_APART = (0, -6, 6, -3, 3)
"""Dots of a line beside each other, so that those of the same value can be counted."""


def page(summary: Summary, page_of_run: PageOfRun = "{}.html".format) -> str:
    body = joined(*parts(summary, page_of_run).values())
    return filled(f"tilewright batch {summary.name}", masthead(title(summary), used_line(summary)), body, "")


def title(summary: Summary) -> str:
    return f"Batch {summary.name} on {summary.gpu}"


def parts(summary: Summary, page_of_run: PageOfRun) -> dict[str, Html]:
    """What the page shows, by the names of its parts, empty where there is nothing yet."""
    means = all_means(summary.rows)
    shown = {
        "headline": _headline(means[0], summary.measured) if means else Html(),
        "why": joined(*(tag("p", line) for line in _why(summary))),
        "how-far-they-came": section("How far they came", _spread(summary)) if means else Html(),
        **{section_id(title): Html() for title in _CAPTIONS},
    }
    for title, head, rows in _tables(summary):
        caption, numbers = _CAPTIONS[title]
        if title == "Kernels":
            rows = [[_link(row, cells[0], page_of_run), *cells[1:]] for row, cells in zip(_ranked(summary), rows)]
        shown[section_id(title)] = section(title, table(head, rows, caption, numbers))
    return shown


def picture(summary: Summary) -> tuple[str, int]:
    """A page that holds the mean and the spread alone, to be made a picture of that height."""
    means = all_means(summary.rows)
    head = tag("h1", title(summary))
    shown = (_headline(means[0], summary.measured), _spread(summary)) if means else (tag("p", "No result"),)
    lines = len({row.family for row in summary.rows if row.gain is not None})
    return filled(f"tilewright batch {summary.name}", "", joined(head, *shown), ""), 340 + round(1.15 * _LINE * lines)


def write_report(summary: Summary, results: Path) -> Path:
    """A page and the same as Markdown, beside those of its runs; what is there is replaced. Returns the page's path;
    `StoreError` where that fails."""
    path = page_of(summary.name, results)

    def page_of_run(run: str) -> str:
        """A run that was killed has none."""
        name = f"{run}.html"
        return name if path.with_name(name).exists() else ""

    write(path, page(summary, page_of_run), "--results DIR")
    write(path.with_suffix(".md"), markdown(summary), "--results DIR")
    return path


def page_of(name: str, results: Path) -> Path:
    """Where the page of a batch lies."""
    return results / "reports" / f"batch-{name}.html"


def markdown(summary: Summary) -> str:
    written = [f"# Batch {plain(summary.name)} on {plain(summary.gpu)}", "", plain(used_line(summary))]
    written += [plain(line) for line in _why(summary)]
    for title, head, rows in _tables(summary):
        written += ["", f"## {title}", "", _row(head), _row(["---"] * len(head))]
        written += [_row([plain(cell) for cell in cells]) for cells in rows]
    return "\n".join(written) + "\n"


def _tables(summary: Summary) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    yield "Means", _MEANS, [_mean_cells(mean, summary.measured) for mean in all_means(summary.rows)]
    names = short_names(summary.rows)
    yield "Kernels", _KERNELS, [_kernel_cells(row, names[row.kernel]) for row in _ranked(summary)]
    found = helped(summary.rows)
    if found:
        mark = "" if summary.measured else "est. "
        yield "What helped", _HELPED, [[h.what, str(h.times), f"{mark}{h.ratio:.2f}x"] for h in found]


def _headline(mean: Mean, measured: bool) -> Html:
    mark = "" if measured else "est. "
    return tag(
        "section",
        tag("p", f"{mark}{mean.gain:.2f}x", class_="big"),
        tag("p", mean_line(mean, measured)),
        class_="headline",
        aria_label="Result",
    )


def _ranked(summary: Summary) -> list[Row]:
    """What gained most first, then what has no result."""
    return sorted(summary.rows, key=lambda row: -(row.gain or 0.0))


def _link(row: Row, name: str, page_of_run: PageOfRun) -> Html:
    """To the run's own page."""
    place = page_of_run(row.run) if row.run else ""
    return tag("a", name, href=place, title=row.kernel) if place else text(name)


def _why(summary: Summary) -> Iterator[str]:
    if summary.stop_reason:
        yield f"Stopped before all kernels had ended: {summary.stop_reason} ({summary.stop_detail})."
    if not summary.ended:
        yield f"Not all kernels have ended. Go on with: tilewright batch --resume {summary.name}"


def _spread(summary: Summary) -> Html:
    """A line a family with a dot for each kernel's gain, and a diamond for their geometric mean."""
    groups: dict[str, list[Row]] = {}
    for row in summary.rows:
        if row.gain is not None:
            groups.setdefault(row.family or "other", []).append(row)
    across = scale([1.0, *(row.gain for rows in groups.values() for row in rows if row.gain)], _LEFT, _RIGHT)
    means = {mean.group: mean for mean in all_means(summary.rows)}
    height = _LINE * len(groups) + 34
    mark = "" if summary.measured else "est. "
    drawn = [
        _family(name, rows, means.get(name), across, _LINE * (number + 0.6), mark)
        for number, (name, rows) in enumerate(sorted(groups.items()))
    ]
    ticks = [
        joined(
            tag(
                "line", x1=across(tick), x2=across(tick), y1=4, y2=height - 26, class_="even" if tick == 1 else "grid"
            ),
            label(across(tick), height - 10, f"{tick:g}x", "tick", "middle"),
        )
        for tick in dict.fromkeys([1.0, *across.ticks()])
    ]
    spoken = "; ".join(mean_line(means[name], summary.measured) for name in sorted(groups) if name in means)
    return joined(
        svg(height, f"Gain over the kernels they began with, by family. {spoken}", *ticks, *drawn),
        tag(
            "p",
            f"{mark}gain over the kernel it began with: a dot a kernel, a diamond the geometric mean.",
            class_="soft",
        ),
    )


def _family(name: str, rows: Sequence[Row], mean: Mean | None, across: Scale, y: float, mark: str) -> Html:
    ranked = sorted((row.gain, row.kernel) for row in rows if row.gain)
    dots = [
        marker(across(gain), y + _APART[place % len(_APART)], "dot", "right", f"{kernel}: {mark}{gain:.2f}x")
        for place, (gain, kernel) in enumerate(ranked)
    ]
    whole = marker(across(mean.gain), y, "diamond", "best", f"{name}: {mark}{mean.gain:.2f}x") if mean else None
    return joined(label(_LEFT - 10, y + 4, name, anchor="end"), whole, *dots)


def _kernel_cells(row: Row, name: str) -> list[str]:
    mark = "" if row.measured else "est. "
    return [
        name,
        f"{mark}{row.gain:.2f}x" if row.gain is not None else "-",
        ratio(row.before),
        ratio(row.after),
        words.of_limit(row.limit, not row.measured).removesuffix(" of the limit") if row.limit is not None else "-",
        str(row.attempts),
        row.family,
        stopped(row),
    ]


def _mean_cells(mean: Mean, measured: bool) -> list[str]:
    mark = "" if measured else "est. "
    return [mean.group, str(mean.kernels), ratio(mean.before), ratio(mean.after), f"{mark}{mean.gain:.2f}x"]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
