"""A batch as one HTML file that needs no network, and as Markdown: the kernels, means and spread, what helped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tilewright.errors import StoreError
from tilewright.report import words
from tilewright.report.batch.lines import mean_line, ratio, stopped, used_line
from tilewright.report.batch.rows import Mean, Row, Summary, all_means, helped
from tilewright.report.html import filled, masthead, section
from tilewright.report.markdown import plain
from tilewright.report.page.axes import WIDTH, Scale, label, marker, scale, svg
from tilewright.report.page.markup import Html, joined, table, tag, text

_KERNELS = ["kernel", "family", "stopped", "candidates", "before", "best", "gain", "limit"]
_MEANS = ["group", "kernels", "before", "best", "gain"]
_HELPED = ["what", "times", "ratio of each"]
_CAPTIONS = {
    "Means": ("Geometric means", 4),
    "Kernels": ("Each with what its run came to", 5),
    "What helped": ("Steps on the way to the best kernels, what brought most first", 2),
}
"""And how many columns are numbers."""
_LEFT, _RIGHT, _LINE = 150, WIDTH - 14, 30


def page(summary: Summary) -> str:
    header = masthead(f"Batch {summary.name} on {summary.gpu}", used_line(summary))
    return filled(f"tilewright batch {summary.name}", header, joined(*_sections(summary)), "")


def write_report(summary: Summary, results: Path) -> Path:
    """A page and the same as Markdown, beside those of its runs; what is there is replaced. Returns the page's path;
    `StoreError` where that fails."""
    path = results / "reports" / f"batch-{summary.name}.html"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page(summary), encoding="utf-8", errors="replace")
        path.with_suffix(".md").write_text(markdown(summary), encoding="utf-8", errors="replace")
    except OSError as error:
        raise StoreError(f"{path} can't be written: {error.strerror}. Choose another: --results DIR") from error
    return path


def markdown(summary: Summary) -> str:
    written = [f"# Batch {plain(summary.name)} on {plain(summary.gpu)}", "", plain(used_line(summary))]
    written += [plain(line) for line in _why(summary)]
    for title, head, rows in _tables(summary):
        written += ["", f"## {title}", "", _row(head), _row(["---"] * len(head))]
        written += [_row([plain(cell) for cell in cells]) for cells in rows]
    return "\n".join(written) + "\n"


def _tables(summary: Summary) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    yield "Means", _MEANS, [_mean_cells(mean, summary.measured) for mean in all_means(summary.rows)]
    yield "Kernels", _KERNELS, [_kernel_cells(row) for row in summary.rows]
    found = helped(summary.rows)
    if found:
        mark = "" if summary.measured else "est. "
        yield "What helped", _HELPED, [[h.what, str(h.times), f"{mark}{h.ratio:.2f}x"] for h in found]


def _sections(summary: Summary) -> Iterator[Html]:
    means = all_means(summary.rows)
    if means:
        yield tag("section", tag("p", mean_line(means[0], summary.measured)), class_="headline")
    for line in _why(summary):
        yield tag("p", line)
    if means:
        yield section("How far they came", _spread(summary))
    for title, head, rows in _tables(summary):
        caption, numbers = _CAPTIONS[title]
        if title == "Kernels":
            rows = [[_link(row), *cells[1:]] for row, cells in zip(summary.rows, rows)]
        yield section(title, table(head, rows, caption, numbers))


def _link(row: Row) -> Html:
    """To the run's own page, which lies in the same folder."""
    return tag("a", row.kernel, href=f"{row.run}.html") if row.run else text(row.kernel)


def _why(summary: Summary) -> Iterator[str]:
    if summary.stop_reason:
        yield f"Stopped before all kernels had ended: {summary.stop_reason} ({summary.stop_detail})."


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
    dots = [
        marker(across(row.gain), y, "dot", "right", f"{row.kernel}: {mark}{row.gain:.2f}x")
        for row in rows
        if row.gain
    ]
    whole = marker(across(mean.gain), y, "diamond", "best", f"{name}: {mark}{mean.gain:.2f}x") if mean else None
    return joined(label(_LEFT - 10, y + 4, name, anchor="end"), *dots, whole)


def _kernel_cells(row: Row) -> list[str]:
    mark = "" if row.measured else "est. "
    return [
        row.kernel,
        row.family,
        stopped(row),
        str(row.attempts),
        ratio(row.before),
        ratio(row.after),
        f"{mark}{row.gain:.2f}x" if row.gain is not None else "-",
        words.of_limit(row.limit, not row.measured).removesuffix(" of the limit") if row.limit is not None else "-",
    ]


def _mean_cells(mean: Mean, measured: bool) -> list[str]:
    mark = "" if measured else "est. "
    return [mean.group, str(mean.kernels), ratio(mean.before), ratio(mean.after), f"{mark}{mean.gain:.2f}x"]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
