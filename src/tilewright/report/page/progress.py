"""How the run went: every candidate's value with its interval, turn by turn, and the best so far."""

from __future__ import annotations

from itertools import groupby

from tilewright.report import words
from tilewright.report.page.axes import WIDTH, Scale, grid, label, marker, path, scale, svg
from tilewright.report.page.markup import Html, folded, joined, table, tag
from tilewright.report.page.shown import SHAPES, Shown, Shows

_LEFT, _RIGHT, _TOP, _HEIGHT = 78, WIDTH - 14, 14, 340
_BOTTOM = _HEIGHT - 62
_NO_TIME = _HEIGHT - 44


def progress(run: Shows) -> Html:
    """The plot, what its marks mean, and the numbers as a table."""
    if not any(one.value for one in run.attempts):
        return tag("p", "No candidate has a time.")
    return joined(plot(run), _legend(run), folded("The numbers as a table", _table(run)))


def plot(run: Shows) -> Html:
    """The picture alone."""
    timed = [one.value for one in run.attempts if one.value]
    values = [value for one in timed for value in (one.shown, one.low, one.high)]
    vertical = scale([*values, *([] if run.estimated else [1.0])], _BOTTOM, _TOP)
    step = (_RIGHT - _LEFT) / max(len(run.attempts), 1)
    places = {one.attempt.index: _LEFT + (number + 0.5) * step for number, one in enumerate(run.attempts)}
    return svg(
        _HEIGHT,
        _alternative(run),
        _turns(run, places, step),
        grid(vertical, _LEFT, _RIGHT, run.number, vertical.ticks()),
        None if run.estimated else _even(run, vertical),
        *(_interval(one, places, vertical) for one in run.attempts),
        *(_mark(one, places, vertical) for one in run.attempts if one.fate not in ("seed", "best")),
        _best_line(run, places, vertical),
        *(_mark(one, places, vertical) for one in run.attempts if one.fate in ("seed", "best")),
        label(_LEFT - 8, _NO_TIME + 4, "no time", "tick", "end") if len(timed) < len(run.attempts) else None,
        label(_LEFT, _HEIGHT - 6, run.scale, "tick"),
    )


def _alternative(run: Shows) -> str:
    first = run.attempts[0]
    last = next((one for one in run.attempts if one.attempt is run.best), first)
    failed = sum(one.fate in ("failed", "abandoned") for one in run.attempts)
    return (
        f"{len(run.attempts)} candidates in order, {run.scale}. The first: {first.brief}. "
        f"The best, {last.number}: {last.brief}. {failed} failed."
    )


def _turns(run: Shows, places: dict[int, float], step: float) -> Html:
    """Bands, and the turns' numbers where they have room."""
    bands = []
    for number, (turn, group) in enumerate(groupby(run.attempts, lambda one: one.attempt.turn)):
        indices = [one.attempt.index for one in group]
        left, width = places[indices[0]] - step / 2, len(indices) * step
        if number % 2:
            bands.append(tag("rect", x=left, y=_TOP, width=width, height=_NO_TIME + 10 - _TOP, class_="band"))
        name = f"turn {turn}" if turn else "seed"
        if width > 7 * len(name):
            bands.append(label(left + width / 2, _HEIGHT - 24, name, "tick", "middle"))
    return joined(*bands)


def _even(run: Shows, vertical: Scale) -> Html:
    y = vertical(1.0)
    return tag("line", x1=_LEFT, x2=_RIGHT, y1=y, y2=y, class_="even")


def _interval(one: Shown, places: dict[int, float], vertical: Scale) -> Html | None:
    if one.value is None:
        return None
    x = places[one.attempt.index]
    return tag("line", x1=x, x2=x, y1=vertical(one.value.low), y2=vertical(one.value.high), class_="interval")


def _best_line(run: Shows, places: dict[int, float], vertical: Scale) -> Html | None:
    points: list[tuple[float, float]] = []
    values = {one.attempt.index: one.value for one in run.attempts}
    for champion in run.champions:
        value = values[champion.index]
        if value is None:
            continue
        x, y = places[champion.index], vertical(value.shown)
        if points:
            points.append((x, points[-1][1]))
        points.append((x, y))
    return path([*points, (_RIGHT, points[-1][1])], "best-line") if points else None


def _mark(one: Shown, places: dict[int, float], vertical: Scale) -> Html:
    x = places[one.attempt.index]
    says = f"{one.number} {words.hypothesis(one.attempt)}: {one.brief}"
    shape = "small" if one.fate == "right" and one.attempt.phase == "knobs" else SHAPES[one.fate]
    y = vertical(one.value.shown) if one.value else _NO_TIME
    return marker(x, y, shape, one.fate, says, one.attempt.index)


def _legend(run: Shows) -> Html:
    marks = [
        ("square", "seed", "the kernel as it was"),
        ("dot", "right", "a change of structure"),
        ("small", "right", "a knob setting"),
        ("diamond", "best", "the best"),
        ("dot", "doubtful", "doubtful (trust C), never the best"),
        ("cross", "failed", "failed"),
    ]
    there = {one.fate for one in run.attempts}
    entries = [
        tag("li", tag("svg", marker(9, 9, shape, fate, name), viewBox="0 0 18 18", aria_hidden="true"), name)
        for shape, fate, name in marks
        if fate in there
    ]
    interval = "95 % interval" if not run.estimated else "the range that the model expects"
    lines = tag("li", f"Vertical lines: {interval}. The step line is the best so far.")
    return tag("ul", *entries, lines, class_="legend")


def _table(run: Shows) -> Html:
    head = ["candidate", "turn", "kind", "best then", "value", "from", "to"]
    champions = {champion.index for champion in run.champions}
    return table(head, [_row(run, one, champions) for one in run.attempts], "Every candidate in order", numbers=3)


def _row(run: Shows, one: Shown, champions: set[int]) -> list[str]:
    attempt, value = one.attempt, one.value
    shown = [run.number(number) for number in (value.shown, value.low, value.high)] if value else [one.brief, "", ""]
    link = tag("a", one.number, href=f"#c{attempt.index}")
    return [link, str(attempt.turn), attempt.phase, "yes" if attempt.index in champions else "", *shown]
