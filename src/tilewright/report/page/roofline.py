"""How near each candidate came to what the GPU allows: the roofline of every workload.

S. Williams, A. Waterman, D. Patterson, CACM 52(4), 2009. The work is the problem's, so that all candidates do the
same and higher is faster: the reference's operations, or, where none were counted, the bytes that must cross.
"""

from __future__ import annotations

from dataclasses import dataclass

from tilewright.report import words
from tilewright.report.page.axes import WIDTH, Scale, grid, label, marker, path, scale, svg
from tilewright.report.page.known import Known, Place, Roof
from tilewright.report.page.markup import Html, folded, joined, table, tag
from tilewright.report.page.shown import SHAPES, Shown, Shows
from tilewright.wording.numbers import ms

_LEFT, _RIGHT, _TOP, _HEIGHT = 88, WIDTH - 14, 16, 330
_BOTTOM = _HEIGHT - 46
_OPEN_AT_MOST = 2
"""Workloads whose plots are shown at once."""


@dataclass(frozen=True)
class _Point:
    one: Shown
    place: Place
    per_byte: float
    per_s: float


def rooflines(run: Shows, known: Known) -> Html:
    """One plot a workload, each with its numbers as a table."""
    parts = [_one(run, roof, known) for roof in known.roofs]
    shown = [part for part in parts if part is not None]
    if not shown:
        return tag("p", "Nothing is known of how far the candidates are from the limit.")
    more = shown[_OPEN_AT_MOST:]
    return joined(*shown[:_OPEN_AT_MOST], folded(f"{len(more)} more workloads", *more) if more else None)


def _one(run: Shows, roof: Roof, known: Known) -> Html | None:
    by_index = {one.attempt.index: one for one in run.attempts}
    work = roof.flops or roof.needed_bytes
    points = [
        _Point(by_index[place.attempt], place, work / place.asked_bytes, work / place.ms * 1e3)
        for place in known.places
        if place.workload == roof.workload and place.asked_bytes
    ]
    if not points or not roof.bytes_per_s:
        return None
    return tag(
        "figure",
        tag("h3", f"Workload {roof.workload}") if len(known.roofs) > 1 else None,
        _plot(roof, roof.bytes_per_s, points, work),
        tag("figcaption", *_caption(roof, points)),
        folded("The numbers as a table", _table(roof, points)),
    )


def _plot(roof: Roof, bytes_per_s: float, points: list[_Point], work: float) -> Html:
    ideal = work / roof.needed_bytes
    highest = work / roof.floor_ms * 1e3
    across = scale([ideal, *(point.per_byte for point in points)], _LEFT, _RIGHT, 1.6)
    up = scale([highest, *(point.per_s for point in points)], _BOTTOM, _TOP, 1.5)
    best = next((point for point in points if point.one.fate == "best"), None)
    drawn = sorted(points, key=lambda point: point.one.fate in ("best", "seed"))
    top = _flops if roof.flops else _bytes
    return svg(
        _HEIGHT,
        _alternative(roof, points, best),
        grid(up, _LEFT, _RIGHT, lambda value: top(value) + "/s", up.ticks()),
        *(_tick(across, tick) for tick in across.ticks()),
        path(_roof(roof, bytes_per_s, across, up, work), "roof"),
        label(_RIGHT - 4, up(highest) - 7, f"the limit: {ms(roof.floor_ms)} ({roof.bound_by})", "tick", "end"),
        *(_mark(point, across, up) for point in drawn),
        label((_LEFT + _RIGHT) / 2, _HEIGHT - 6, _axis(roof), "tick", "middle"),
    )


def _roof(roof: Roof, bytes_per_s: float, across: Scale, up: Scale, work: float) -> list[tuple[float, float]]:
    """Memory's slope up to the other ceiling: what the floor leaves where it isn't memory's, else arithmetic's."""
    ceiling = up.high
    if roof.bound_by != "memory":
        ceiling = work / roof.floor_ms * 1e3
    elif roof.flops and roof.flops_per_s:
        ceiling = roof.flops_per_s
    knee = ceiling / bytes_per_s
    xs = [across.low, *([knee] if across.low < knee < across.high else []), across.high]
    return [(across(x), up(min(ceiling, x * bytes_per_s))) for x in xs]


def _mark(point: _Point, across: Scale, up: Scale) -> Html:
    one = point.one
    shape = "small" if one.fate == "right" and one.attempt.phase == "knobs" else SHAPES[one.fate]
    says = f"{one.number} {words.hypothesis(one.attempt)}: {_ms(point.place)}"
    return marker(across(point.per_byte), up(point.per_s), shape, one.fate, says, one.attempt.index)


def _tick(across: Scale, value: float) -> Html:
    x = across(value)
    return joined(
        tag("line", x1=x, x2=x, y1=_TOP, y2=_BOTTOM, class_="grid"),
        label(x, _BOTTOM + 16, f"{value:,g}", "tick", "middle"),
    )


def _axis(roof: Roof) -> str:
    what = "operations of the reference" if roof.flops else "bytes that must cross"
    return f"{what}, for each byte that the candidate reads or writes"


def _caption(roof: Roof, points: list[_Point]) -> list[str]:
    estimated = sum(point.place.estimated for point in points)
    times = "All times are estimates. " if estimated == len(points) else ""
    if 0 < estimated < len(points):
        times = f"{estimated} of {len(points)} times are estimates. "
    above = "A candidate above the slope is served by caches: what it asks for is counted, whichever memory answers. "
    return [times + above + "The limit rests on " + "; ".join(roof.rates) + "."]


def _alternative(roof: Roof, points: list[_Point], best: _Point | None) -> str:
    text = f"Roofline of {len(points)} candidates. Bound by {roof.bound_by}: at least {ms(roof.floor_ms)}."
    seed = next((point for point in points if point.one.fate == "seed"), None)
    for name, point in (("The first", seed), ("The best", best)):
        if point is not None:
            text += f" {name}: {_ms(point.place)}, {_share(roof, point.place)}."
    return text


def _table(roof: Roof, points: list[_Point]) -> Html:
    rows = [
        [
            tag("a", point.one.number, href=f"#c{point.place.attempt}"),
            _ms(point.place),
            _share(roof, point.place),
            _bytes(point.place.asked_bytes or 0.0),
            (_flops if roof.flops else _bytes)(point.per_s) + "/s",
        ]
        for point in points
    ]
    return table(["candidate", "time", "of the limit", "asks for", "rate"], rows, "Roofline", numbers=4)


def _ms(place: Place) -> str:
    return f"{'est. ' if place.estimated else ''}{ms(place.ms)}"


def _share(roof: Roof, place: Place) -> str:
    return words.of_limit(roof.floor_ms / place.ms, place.estimated)


def _flops(count: float) -> str:
    return _scaled(count, "FLOP")


def _bytes(count: float) -> str:
    return _scaled(count, "B")


def _scaled(count: float, unit: str) -> str:
    for prefix, factor in (("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= factor:
            return f"{count / factor:.3g} {prefix}{unit}"
    return f"{count:.3g} {unit}"
