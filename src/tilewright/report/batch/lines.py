"""A batch in words: a line a kernel, the means, what helped, what it took."""

from __future__ import annotations

from collections.abc import Iterator

from tilewright.report import words
from tilewright.report.batch.rows import Helped, Mean, Row, Summary, all_means, helped

MOST_HELPED = 8


def lines(summary: Summary) -> Iterator[str]:
    """All of it, for a terminal."""
    for row in summary.rows:
        yield kernel_line(row)
    for mean in all_means(summary.rows):
        yield mean_line(mean, summary.measured)
    for one in helped(summary.rows)[:MOST_HELPED]:
        yield helped_line(one, summary.measured)
    yield used_line(summary)


def kernel_line(row: Row) -> str:
    return f"{row.kernel}: {result(row)}; {stopped(row)}"


def result(row: Row) -> str:
    if row.gain is None:
        return "no result"
    limit = f", {words.of_limit(row.limit, not row.measured)}" if row.limit is not None else ""
    if not row.measured:
        return f"est. {row.gain:.2f}x of the kernel it began with (estimated, not measured){limit}"
    return f"{ratio(row.before)} -> {ratio(row.after)}, {row.gain:.2f}x of the kernel it began with{limit}"


def stopped(row: Row) -> str:
    return f"{row.state} ({row.detail})" if row.detail else row.state


def mean_line(mean: Mean, measured: bool) -> str:
    head = f"{mean.group}: {mean.kernels} kernel{'s' if mean.kernels > 1 else ''}, geometric mean "
    if not measured:
        return f"{head}est. {mean.gain:.2f}x of those they began with (estimated, not measured)"
    return f"{head}{ratio(mean.before)} -> {ratio(mean.after)}, {mean.gain:.2f}x of those they began with"


def helped_line(one: Helped, measured: bool) -> str:
    mark = "" if measured else "est. "
    return f"helped: {one.what}, {one.times} time{'s' if one.times > 1 else ''}, {mark}{one.ratio:.2f}x each"


def used_line(summary: Summary) -> str:
    model = f", {summary.tokens:,} tokens, {summary.usd:.2f} USD" if summary.tokens or summary.usd else ""
    counts: dict[str, int] = {}
    for row in summary.rows:
        counts[row.state] = counts.get(row.state, 0) + 1
    states = ", ".join(f"{count} {state}" for state, count in sorted(counts.items(), key=lambda pair: -pair[1]))
    return (
        f"batch {summary.name} on {summary.gpu}: {len(summary.rows)} kernels ({states}), {summary.evaluations} "
        f"candidates in {summary.seconds:.0f} s, {summary.gpu_seconds:.1f} s of the GPU{model}"
    )


def ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}x"
