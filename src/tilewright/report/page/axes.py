"""How values are laid out on a plot: scales, round ticks, and the frame around them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tilewright.report.page.markup import Html, joined, tag

WIDTH = 720
"""Of every plot, in units of its view box; a narrow screen scrolls rather than shrinks it below what can be read."""


@dataclass(frozen=True)
class Scale:
    """Values from `low` to `high` on places from `start` to `end`, by their logarithms."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """A place; what lies outside is put on the border."""
        inside = min(max(value, self.low), self.high)
        share = math.log(inside / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round values in between: powers of ten over a long range, more the shorter it is, in even steps at last."""
        decades = math.log10(self.high / self.low)
        if decades < 0.7:
            step = 10 ** math.floor(math.log10((self.high - self.low) / 3))
            step *= next(factor for factor in (1, 2, 5, 10) if (self.high - self.low) / (step * factor) <= 6)
            first = math.ceil(self.low / step - 1e-9)
            return [number * step for number in range(first, math.floor(self.high / step + 1e-9) + 1) if number > 0]
        digits = (1, 1.5, 2, 3, 5, 7) if decades < 1.3 else (1, 2, 5) if decades < 3 else (1,)
        exponents = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        return [d * 10.0**e for e in exponents for d in digits if self.low <= d * 10.0**e <= self.high]


def scale(values: Sequence[float], start: float, end: float, room: float = 1.12) -> Scale:
    """One that holds all values, with a factor of `room` beyond both ends."""
    known = [value for value in values if value > 0 and math.isfinite(value)] or [1.0]
    low, high = min(known) / room, max(known) * room
    return Scale(low, high, start, end)


def svg(height: float, label: str, *children: str | None, width: float = WIDTH) -> Html:
    """A picture with a text that stands for it."""
    picture = tag(
        "svg",
        tag("title", label),
        *children,
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        aria_label=label,
        style=f"--natural: {width:g}px",
    )
    return tag("div", picture, class_="plot", tabindex="0", role="group", aria_label="plot, scrolls sideways")


def label(x: float, y: float, content: str, class_: str = "", anchor: str = "start") -> Html:
    return tag("text", content, x=x, y=y, class_=class_ or None, text_anchor=None if anchor == "start" else anchor)


def grid(vertical: Scale, left: float, right: float, shown: Callable[[float], str], ticks: list[float]) -> Html:
    """Lines across a plot, with what they stand for on the left."""
    lines = [
        joined(
            tag("line", x1=left, x2=right, y1=vertical(tick), y2=vertical(tick), class_="grid"),
            label(left - 8, vertical(tick) + 4, shown(tick), "tick", "end"),
        )
        for tick in ticks
    ]
    return joined(*lines)


def path(points: Sequence[tuple[float, float]], class_: str) -> Html:
    d = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return tag("path", d=d, class_=class_)


def marker(x: float, y: float, shape: str, class_: str, says: str, attempt: int | None = None) -> Html:
    """A mark of some shape, so that colour is never all that tells marks apart. `says` shows when pointed at."""
    drawings = {
        "dot": f"M{x - 4:.1f} {y:.1f}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z",
        "small": f"M{x - 2.6:.1f} {y:.1f}a2.6 2.6 0 1 0 5.2 0a2.6 2.6 0 1 0 -5.2 0Z",
        "diamond": f"M{x:.1f} {y - 7:.1f}l7 7l-7 7l-7 -7Z",
        "square": f"M{x - 5:.1f} {y - 5:.1f}h10v10h-10Z",
        "cross": f"M{x - 3.5:.1f} {y - 3.5:.1f}l7 7m0 -7l-7 7",
    }
    mark = tag("path", tag("title", says), d=drawings[shape], class_=f"mark {shape} {class_}")
    return mark if attempt is None else leading_to(attempt, mark)


def leading_to(attempt: int, *drawn: str) -> Html:
    """What leads to a candidate when clicked. No link: a picture that has a text for it can't hold any."""
    return tag("g", *drawn, data_to=f"c{attempt}")
