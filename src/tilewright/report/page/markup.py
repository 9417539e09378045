"""How markup is written so that text can't become markup: whatever is no `Html` is escaped."""

from __future__ import annotations

from html import escape

_VOID = {"br", "input", "line", "meta"}


class Html(str):
    """Markup, as opposed to text."""

    __slots__ = ()


def tag(name: str, *children: str | None, **attributes: str | float | bool | None) -> Html:
    """An element. Attributes: `class_` is class, `data_x` data-x; absent where None or False, bare where True."""
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Html(f"<{name}{written}/>")
    return Html(f"<{name}{written}>{joined(*children)}</{name}>")


def joined(*children: str | None) -> Html:
    """Children after each other; None is left out."""
    return Html("".join(text(child) for child in children if child is not None))


def text(content: str) -> Html:
    return content if isinstance(content, Html) else Html(escape(content, quote=True))


def table(head: list[str], rows: list[list[str]], caption: str = "", numbers: int | range = 0) -> Html:
    """A table that scrolls by itself; `numbers` columns, the last ones where it is a count, are set to the right."""

    def style(place: int, row: list[str]) -> str | None:
        right = range(len(row) - numbers, len(row)) if isinstance(numbers, int) else numbers
        return "number" if place in right else None

    lines = [tag("tr", *(tag("td", cell, class_=style(i, row)) for i, cell in enumerate(row))) for row in rows]
    titles = [
        tag("th", title, scope="col", class_=style(i, head)) if title else tag("td") for i, title in enumerate(head)
    ]
    inner = joined(
        tag("caption", caption) if caption else None, tag("thead", tag("tr", *titles)), tag("tbody", *lines)
    )
    return tag("div", tag("table", inner), class_="wide", tabindex="0", role="group", aria_label=caption or "table")


def folded(title: str, *children: str | None) -> Html:
    """What is shown when asked for."""
    return tag("details", tag("summary", title), *children)


def _attribute(key: str, value: str | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    shown = f"{value:.5g}" if isinstance(value, float) else str(value)
    return f' {name}="{escape(shown, quote=True)}"'
