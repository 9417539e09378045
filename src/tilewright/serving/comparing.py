"""The page of two runs beside each other: what came of each, how it went, what was set otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import quote

from tilewright.records import Attempt, Run
from tilewright.report import html, words
from tilewright.report.page import candidates, headline
from tilewright.report.page.axes import WIDTH, Scale, grid, label, path, scale, svg
from tilewright.report.page.known import Known
from tilewright.report.page.markup import Html, joined, table, tag
from tilewright.report.page.shown import Shows, Value
from tilewright.scores import over_seed
from tilewright.serving.live import View

_LEFT, _RIGHT, _TOP, _BOTTOM, _HEIGHT = 78, WIDTH - 96, 14, 250, 300


@dataclass(frozen=True)
class Side:
    shows: Shows
    known: Known

    @property
    def run(self) -> Run:
        return self.shows.run

    @property
    def best(self) -> Attempt | None:
        return self.shows.best


def view(one: Side, other: Side) -> View:
    parts = {
        "where": tag("nav", tag("a", "All runs", href="/"), aria_label="Pages"),
        "note": joined(*(tag("p", tag("strong", why), class_="estimate") for why in _not_alike(one, other))),
        "sides": tag("div", _side(one), _side(other), class_="sides"),
        "plot": html.section("The best so far", _plot(one, other)),
        "numbers": html.section("In numbers", _numbers(one, other)),
        "options": html.section("What was set otherwise", _options(one, other)),
        "kernels": html.section("The best kernels", _kernels(one, other)),
    }
    names = dict.fromkeys(html.name(side.run) for side in (one, other))
    return View(" and ".join(names), f"run {one.run.id} and run {other.run.id}", parts)


def packed(one: Side, other: Side) -> str:
    """The sources of both bests, as the page's script reads them."""
    both = tuple(side.best for side in (one, other) if side.best)
    return candidates.packed(replace(one.run, attempts=both))


def _not_alike(one: Side, other: Side) -> Iterator[str]:
    """Why numbers of both mean different things."""
    if one.run.problem.id != other.run.problem.id:
        yield "They are about different problems."
    if one.shows.estimated != other.shows.estimated:
        yield "One was measured, the other is a model's estimate."
    elif not one.shows.estimated and one.run.baselines[0].name != other.run.baselines[0].name:
        yield "They were measured over different baselines."
    if one.run.gpu != other.run.gpu:
        yield f"They are for different GPUs: {one.run.gpu} and {other.run.gpu}."


def _side(side: Side) -> Html:
    link = tag("a", f"Run {side.run.id}", href=f"/runs/{quote(side.run.id)}")
    return tag("div", tag("h2", link), headline.headline(side.shows, side.known, f"Result of run {side.run.id}"))


def _plot(one: Side, other: Side) -> Html:
    """Both lines on one scale, where there is one."""
    if any(_not_alike(one, other)):
        return tag("p", "They share no scale.")
    values = [value for side in (one, other) for _, value in _champions(side)]
    if not values:
        return tag("p", "No candidate has a time.")
    shows = one.shows
    vertical = scale([number for value in values for number in (value.shown, value.low, value.high)], _BOTTOM, _TOP)
    most = max(len(side.run.attempts) for side in (one, other))
    text = f"Best so far by candidate, {shows.scale}. " + " ".join(
        f"Run {side.run.id}: {shows.number(found[-1][1].shown)} after {len(side.run.attempts)} candidates."
        for side in (one, other)
        if (found := _champions(side))
    )
    return svg(
        _HEIGHT,
        text,
        grid(vertical, _LEFT, _RIGHT, shows.number, vertical.ticks()),
        _line(one, vertical, most, "best-line", "first", above=True),
        _line(other, vertical, most, "second-line", "second", above=False),
        label(_LEFT, _HEIGHT - 28, "the kernel as it was", "tick"),
        label(_RIGHT, _HEIGHT - 28, f"candidate {most - 1}", "tick", "end"),
        label(_LEFT, _HEIGHT - 6, shows.scale, "tick"),
    )


def _champions(side: Side) -> list[tuple[int, Value]]:
    """Index and value of each attempt that was the best in turn."""
    values = {one.attempt.index: one.value for one in side.shows.attempts}
    return [(each.index, value) for each in side.shows.champions if (value := values[each.index])]


def _line(side: Side, vertical: Scale, most: int, class_: str, text_class: str, above: bool) -> Html | None:
    def x(index: int) -> float:
        return _LEFT + (_RIGHT - _LEFT) * index / max(most - 1, 1)

    points: list[tuple[float, float]] = []
    for index, value in _champions(side):
        if points:
            points.append((x(index), points[-1][1]))
        points.append((x(index), vertical(value.shown)))
    if not points:
        return None
    end = (x(side.run.attempts[-1].index), points[-1][1])
    return joined(
        path([*points, end], class_), label(end[0] + 5, end[1] + (-2 if above else 14), side.run.id, text_class)
    )


def _numbers(one: Side, other: Side) -> Html:
    rows = [list(row) for row in zip(_names(), _column(one), _column(other))]
    return table(["", f"run {one.run.id}", f"run {other.run.id}"], rows, "What came of both, and what it took")


def _names() -> list[str]:
    return [
        "kernel",
        "GPU, and who judged",
        "began with",
        "the best",
        "over what it began with, in pairs",
        "of the limit",
        "candidates, and how many of them failed",
        "turns",
        "seconds, and of the GPU",
        "tokens, and their price",
    ]


def _column(side: Side) -> list[str]:
    run, best, attempts = side.run, side.best, side.shows.attempts
    paired = over_seed(best) if best else None
    share = side.known.share_reached.get(best.index) if best else None
    failed = sum(each.fate in ("failed", "abandoned") for each in attempts)
    prices = [use.usd for use in side.known.models]
    price = "not known" if None in prices else f"{sum(usd or 0.0 for usd in prices):.2f} USD"
    return [
        run.kernel_path,
        f"{run.gpu}, {run.evaluator}",
        attempts[0].brief if attempts else "",
        next((f"{each.number}: {each.brief}" for each in attempts if each.attempt is best), ""),
        words.interval(paired.ratio, paired.low, paired.high) if paired else "not measured",
        words.of_limit(share, side.shows.estimated) if share is not None else "not known",
        f"{len(attempts)}, {failed}",
        str(attempts[-1].attempt.turn if attempts else 0),
        f"{sum(each.cost.seconds for each in run.attempts):.0f}, "
        f"{sum(each.cost.gpu_seconds for each in run.attempts):.0f}",
        f"{sum(use.tokens for use in side.known.models):,}, {price}" if side.known.models else "none",
    ]


def _options(one: Side, other: Side) -> Html:
    first, second = dict(one.run.settings), dict(other.run.settings)
    names = [name for name in {**first, **second} if name != "explicit" and first.get(name) != second.get(name)]
    if not names:
        return tag("p", "Nothing.")
    rows = [[name, first.get(name, ""), second.get(name, "")] for name in names]
    return table(["option", f"run {one.run.id}", f"run {other.run.id}"], rows, "Options that differ")


def _kernels(one: Side, other: Side) -> Html:
    if one.best is None or other.best is None:
        return tag("p", "Not both have a kernel that is right.")
    if one.best.candidate.id == other.best.candidate.id:
        return tag("p", "They are the same.")
    said = f"#{one.best.index} of run {one.run.id} and #{other.best.index} of run {other.run.id}"
    button = tag("button", "What is different", type="button", data_before=0, data_after=1)
    return tag("details", tag("summary", said), tag("p", button, class_="needs-script"), open=True)
