"""How the best came to be: each change on the way to it with what it brought, and all of them as one."""

from __future__ import annotations

from tilewright.report import words
from tilewright.report.page.markup import Html, joined, table, tag
from tilewright.report.page.shown import Shown, Shows

_MOST = 12
"""Steps that are shown: the first and the last of a longer way."""


def way(run: Shows) -> Html:
    steps = _steps(run)
    if len(steps) < 2:
        return tag("p", "Nothing: no candidate was better than the kernel as it was.")
    rows = [_row(run, step, before) for before, step in zip([None, *steps], steps)]
    if len(rows) > _MOST:
        half = _MOST // 2
        rows = [*rows[:half], ["", f"{len(rows) - _MOST} more", "", ""], *rows[-half:]]
    button = tag(
        "button",
        "What changed in all",
        type="button",
        data_before=steps[0].attempt.index,
        data_after=steps[-1].attempt.index,
    )
    head = ["#", "what was changed", "value", "brought"]
    caption = f"From the kernel as it was to the best. Values: {run.scale}"
    return joined(table(head, rows, caption, numbers=2), tag("div", tag("p", button), class_="changes needs-script"))


def _steps(run: Shows) -> list[Shown]:
    """From the first to the best, by parents."""
    by_id = {one.attempt.candidate.id: one for one in run.attempts}
    at = by_id.get(run.best.candidate.id) if run.best else None
    found: list[Shown] = []
    while at is not None and at not in found:
        found.insert(0, at)
        at = by_id.get(at.attempt.candidate.parent or "")
    return found


def _row(run: Shows, one: Shown, before: Shown | None) -> list[str]:
    what = "the kernel as it was" if before is None else words.hypothesis(one.attempt)
    brought = ""
    if before and before.value and one.value:
        brought = f"{'est. ' if run.estimated else ''}{one.value.speed / before.value.speed:.2f}x"
    return [tag("a", one.number, href=f"#c{one.attempt.index}"), what, one.brief, brought]
