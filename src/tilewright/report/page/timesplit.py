"""Where the kernel's time goes, before and after: each part of one forward, and the limit beside it."""

from __future__ import annotations

from collections.abc import Mapping

from tilewright.records import Standing
from tilewright.report.page.axes import WIDTH, label, svg
from tilewright.report.page.known import Known
from tilewright.report.page.markup import Html, joined, table, tag
from tilewright.report.page.shown import Shows
from tilewright.wording.numbers import ms

_LEFT, _RIGHT, _BAR = 78, WIDTH - 14, 34
_COLOURS = 6
"""Parts that get a colour of their own; the others share the last."""


def timesplits(run: Shows, known: Known) -> Html:
    """Two bars and a table for each workload that has both, or one where only one is known."""
    first = known.standings.get(run.run.attempts[0].index, ()) if run.run.attempts else ()
    last = known.standings.get(run.best.index, ()) if run.best is not None else ()
    names = dict.fromkeys(one.workload for one in (*first, *last) if one.spent)
    if not names:
        return tag("p", "Nothing is known of where the time goes.")
    same = run.best is not None and run.best.index == run.run.attempts[0].index
    parts = [
        _one(name, _of(first, name), None if same else _of(last, name), several=len(names) > 1) for name in names
    ]
    return joined(*parts)


def _of(standings: tuple[Standing, ...], workload: str) -> Standing | None:
    return next((one for one in standings if one.workload == workload and one.spent), None)


def _one(name: str, before: Standing | None, after: Standing | None, several: bool) -> Html:
    sides = {title: one for title, one in (("before", before), ("after", after)) if one is not None}
    order = list(dict.fromkeys(row.what for one in sides.values() for row in one.spent))
    numbers = {what: min(number, _COLOURS) for number, what in enumerate(order, 1)}
    estimated = any(not one.measured for one in sides.values())
    return tag(
        "figure",
        tag("h3", f"Workload {name}") if several else None,
        _bars(sides, numbers),
        tag("figcaption", "Estimated by the time model, not measured." if estimated else "Measured on the device."),
        _table(sides, numbers),
    )


def _bars(sides: Mapping[str, Standing], numbers: Mapping[str, int]) -> Html:
    longest = max(sum(row.ms for row in one.spent) for one in sides.values())
    per_ms = (_RIGHT - _LEFT) / longest
    drawn: list[Html] = []
    for place, (title, one) in enumerate(sides.items()):
        y = 10 + place * (_BAR + 12)
        drawn.append(label(_LEFT - 8, y + _BAR / 2 + 5, title, "tick", "end"))
        x = float(_LEFT)
        for row in one.spent:
            width = row.ms * per_ms
            number = numbers[row.what]
            says = tag("title", f"{title}: {row.what}, {_ms(row.ms, one)}")
            drawn.append(tag("rect", says, x=x, y=y, width=max(width, 0.5), height=_BAR, class_=f"part p{number}"))
            if width > 16:
                drawn.append(label(x + width / 2, y + _BAR / 2 + 5, str(number), "part-number", "middle"))
            x += width
    height = 10 + len(sides) * (_BAR + 12) + 22
    floor = next((one.floor_ms for one in sides.values() if one.floor_ms), None)
    if floor:
        x = _LEFT + min(floor * per_ms, _RIGHT - _LEFT)
        drawn.append(tag("line", x1=x, x2=x, y1=4, y2=height - 22, class_="roof"))
        side, anchor = (x + 4, "start") if x < WIDTH / 2 else (x - 4, "end")
        drawn.append(label(side, height - 8, f"the limit: {ms(floor)}", "tick", anchor))
    return svg(height, _alternative(sides), *drawn)


def _alternative(sides: Mapping[str, Standing]) -> str:
    parts = []
    for title, one in sides.items():
        rows = ", ".join(f"{row.what} {_ms(row.ms, one)}" for row in one.spent[:_COLOURS])
        parts.append(f"{title}: {rows}")
    return f"Time of one forward by its parts. {'. '.join(parts)}."


def _table(sides: Mapping[str, Standing], numbers: Mapping[str, int]) -> Html:
    rows = []
    for what, number in numbers.items():
        cells: list[str] = []
        detail = ""
        for one in sides.values():
            row = next((row for row in one.spent if row.what == what), None)
            cells.append(_ms(row.ms, one) if row else "gone" if cells else "-")
            detail = row.detail if row and row.detail else detail
        key = tag("span", str(number), class_=f"key p{number}")
        rows.append([key, f"{_shortened(what)}{f' ({detail})' if detail else ''}", *cells])
    rows.append(["", "in all", *(_ms(sum(row.ms for row in one.spent), one) for one in sides.values())])
    return table(["", "part", *sides], rows, "Time of one forward by its parts", numbers=len(sides))


def _shortened(what: str) -> str:
    return what if len(what) <= 80 else f"{what[:77]}..."


def _ms(value: float, one: Standing) -> str:
    return f"{'' if one.measured else 'est. '}{ms(value)}"
