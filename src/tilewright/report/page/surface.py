"""How a structure answers to its knobs: its value at each setting that was tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tilewright.errors import KernelFileError
from tilewright.records import KnobValue
from tilewright.report.page.axes import grid, label, marker, path, scale, svg
from tilewright.report.page.markup import Html, folded, joined, table, tag
from tilewright.report.page.shown import SHAPES, Shown, Shows
from tilewright.source.knobs import values_of

_STRUCTURES, _KNOBS = 3, 6
"""That are shown: that of the best, those with the most settings, and of them the knobs that matter most."""
_SIZE, _PANEL_HEIGHT = 340, 230


@dataclass(frozen=True)
class _Setting:
    one: Shown
    values: Mapping[str, KnobValue]


def surfaces(run: Shows) -> Html:
    """For each structure whose knobs were searched: a panel a knob, and a map of the two that matter most."""
    families = sorted(_families(run).values(), key=_matters, reverse=True)
    parts = [part for family in families[:_STRUCTURES] if (part := _surface(run, family)) is not None]
    return joined(*parts) if parts else tag("p", "No knobs were searched.")


def _families(run: Shows) -> dict[str, list[_Setting]]:
    """Settings by structure; the structure's own values count as one."""
    searched = [one.attempt.candidate.structure_id for one in run.attempts if one.attempt.phase == "knobs"]
    families: dict[str, list[_Setting]] = {structure: [] for structure in searched}
    for one in run.attempts:
        candidate = one.attempt.candidate
        if candidate.structure_id in families:
            values = dict(candidate.knobs) if candidate.structure else _values(candidate.source)
            families[candidate.structure_id].append(_Setting(one, values))
    return families


def _matters(family: Sequence[_Setting]) -> tuple[bool, int]:
    return any(setting.one.fate == "best" for setting in family), len(family)


def _values(source: str) -> dict[str, KnobValue]:
    try:
        return values_of(source)
    except KernelFileError:  # no Python, or TUNABLES that name nothing: it can't have been tuned, then
        return {}


def _surface(run: Shows, family: Sequence[_Setting]) -> Html | None:
    timed = [setting for setting in family if setting.one.value]
    names = [name for name in dict.fromkeys(n for s in family for n in s.values) if len(_choices(family, name)) > 1]
    if not names or not timed:
        return None
    ranked = sorted(names, key=lambda name: -_effect(timed, name))
    first = family[0].one
    return tag(
        "figure",
        tag("h3", f"Structure of {first.number}: {len(family)} settings"),
        tag("div", *(_panel(run, family, name) for name in ranked[:_KNOBS]), class_="panels"),
        _map(run, timed, ranked[0], ranked[1]) if len(ranked) > 1 else None,
        tag("figcaption", f"Values: {run.scale}. The line joins the best at each value of the knob."),
        folded("Every setting as a table", _table(run, family, ranked)),
    )


def _choices(family: Sequence[_Setting], name: str) -> list[KnobValue]:
    found = dict.fromkeys(setting.values[name] for setting in family if name in setting.values)
    return sorted(found, key=lambda value: (isinstance(value, str), value if _is_number(value) else 0, str(value)))


def _is_number(value: KnobValue) -> bool:
    return isinstance(value, (int, float))


def _effect(timed: Sequence[_Setting], name: str) -> float:
    """How much the best value depends on the knob: worst over best of its choices."""
    bests = [found for choice in _choices(timed, name) if (found := _best(timed, {name: choice})) is not None]
    return max(bests) / min(bests) if bests else 1.0


def _best(timed: Sequence[_Setting], at: Mapping[str, KnobValue]) -> float | None:
    """Speed where the knobs have these values: more is faster on either scale."""
    speeds = [
        setting.one.value.speed
        for setting in timed
        if setting.one.value and all(setting.values.get(name) == value for name, value in at.items())
    ]
    return max(speeds, default=None)


def _panel(run: Shows, family: Sequence[_Setting], name: str) -> Html:
    choices = _choices(family, name)
    left = 92 if run.estimated else 74
    bottom, failed = _PANEL_HEIGHT - 62, _PANEL_HEIGHT - 42
    timed = [setting for setting in family if setting.one.value]
    up = scale([s.one.value.shown for s in timed if s.one.value], bottom, 12)
    step = (_SIZE - left - 8) / len(choices)
    places = {choice: left + (number + 0.5) * step for number, choice in enumerate(choices)}
    drawn: list[Html] = [grid(up, left, _SIZE - 8, run.number, up.ticks()[:: max(1, len(up.ticks()) // 5)])]
    line = []
    for choice in choices:
        drawn.append(label(places[choice], _PANEL_HEIGHT - 22, str(choice), "tick", "middle"))
        speed = _best(timed, {name: choice})
        if speed is not None:
            line.append((places[choice], up(run.of_speed(speed))))
    drawn.append(path(line, "best-line"))
    for setting in sorted(family, key=lambda setting: setting.one.fate in ("seed", "best")):  # these two on top
        if name not in setting.values:
            continue
        one, x = setting.one, places[setting.values[name]]
        y = up(one.value.shown) if one.value else failed
        shape = "small" if one.fate == "right" else SHAPES[one.fate]
        drawn.append(marker(x, y, shape, one.fate, f"{one.number}: {one.brief}", one.attempt.index))
    drawn.append(label((left + _SIZE) / 2, _PANEL_HEIGHT - 4, name, "axis-name", "middle"))
    fastest = max(line, key=lambda point: -point[1] if not run.estimated else point[1])
    choice = next(choice for choice, place in places.items() if place == fastest[0])
    return svg(_PANEL_HEIGHT, f"{name}: fastest at {choice} of {', '.join(map(str, choices))}.", *drawn, width=_SIZE)


def _map(run: Shows, timed: Sequence[_Setting], down: str, across: str) -> Html:
    """The best value at each pair of two knobs, as a table that is shaded."""
    columns = _choices(timed, across)
    speeds = {
        (row, column): _best(timed, {down: row, across: column})
        for row in _choices(timed, down)
        for column in columns
    }
    known = [speed for speed in speeds.values() if speed is not None]
    low, high = min(known), max(known)
    head = tag(
        "tr", tag("th", f"{down} ↓  {across} →", scope="col"), *(tag("th", str(c), scope="col") for c in columns)
    )
    body = [
        tag(
            "tr",
            tag("th", str(row), scope="row"),
            *(_cell(run, speeds[row, column], low, high) for column in columns),
        )
        for row in _choices(timed, down)
    ]
    caption = tag("caption", f"The best at each pair of {down} and {across}; the stronger the colour, the faster")
    inner = tag("table", caption, tag("thead", head), tag("tbody", *body), class_="map")
    return tag("div", inner, class_="wide", tabindex="0", role="group", aria_label=f"map of {down} and {across}")


def _cell(run: Shows, speed: float | None, low: float, high: float) -> Html:
    if speed is None:
        return tag("td", tag("span", "not tried", class_="soft"))
    heat = round(40 * (speed - low) / (high - low)) if high > low else 0
    mark = " ◆" if speed == high else ""
    return tag("td", run.number(run.of_speed(speed)) + mark, style=f"--heat: {heat}%")


def _table(run: Shows, family: Sequence[_Setting], names: Sequence[str]) -> Html:
    rows = [
        [
            tag("a", setting.one.number, href=f"#c{setting.one.attempt.index}"),
            *(str(setting.values.get(name, "")) for name in names),
            setting.one.brief,
        ]
        for setting in family
    ]
    return table(["candidate", *names, "result"], rows, "Every setting", numbers=1)
