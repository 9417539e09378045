"""Each candidate: what was expected of it, how it ended and why, and what it changed (drawn when asked for)."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator
from itertools import groupby

from tilewright.records import Attempt, Measured, Run
from tilewright.report import words
from tilewright.report.measured import details
from tilewright.report.page.markup import Html, joined, tag
from tilewright.report.page.shown import Shown, Shows
from tilewright.wording.hints import hint

_SIGNS = {"seed": "■", "best": "◆", "right": "●", "doubtful": "◌", "failed": "✕", "abandoned": "✕"}
_MOST_FINDINGS = 3


def candidates(run: Shows) -> Html:
    """All of them by turn, folded."""
    indices = {one.attempt.candidate.id: one.attempt.index for one in run.attempts}
    turns = [
        joined(
            tag("h3", f"Turn {turn}" if turn else "The kernel as it was"),
            *(_candidate(run.run, one, indices) for one in group),
        )
        for turn, group in groupby(run.attempts, lambda one: one.attempt.turn)
    ]
    return joined(_filter(run), *turns)


def packed(run: Run) -> str:
    """All sources in order, then the reference: JSON, zlib, base64. What is alike costs next to nothing."""
    sources = [*(attempt.candidate.source for attempt in run.attempts), run.problem.source]
    return base64.b64encode(zlib.compress(json.dumps(sources).encode())).decode()


def _filter(run: Shows) -> Html:
    fates = dict.fromkeys(one.fate for one in run.attempts if one.fate not in ("seed", "best"))
    options = [tag("option", "all", value=""), *(tag("option", fate, value=fate) for fate in fates)]
    return tag(
        "p",
        tag("label", "Show ", tag("select", *options, id="fate")),
        tag("label", " with the words ", tag("input", id="words", type="search")),
        tag("span", f"{len(run.attempts)} of {len(run.attempts)}", id="count", role="status"),
        class_="filter needs-script",
    )


def _candidate(run: Run, one: Shown, indices: dict[str, int]) -> Html:
    attempt = one.attempt
    parent = indices.get(attempt.candidate.parent or "")
    head = tag(
        "summary",
        tag("span", _SIGNS[one.fate], class_=f"sign {one.fate}", aria_hidden="true"),
        tag("b", one.number),
        tag("span", "" if attempt.phase == "seed" else words.hypothesis(attempt), class_="what"),
        tag("span", one.brief, class_=f"ended {one.fate}"),
    )
    return tag(
        "details",
        head,
        tag("dl", *_facts(run, one, parent)),
        _buttons(attempt, parent, len(indices)),
        id=f"c{attempt.index}",
        class_="candidate",
        data_fate=one.fate,
    )


def _facts(run: Run, one: Shown, parent: int | None) -> Iterator[Html]:
    attempt = one.attempt
    offset = run.line_offset if attempt.phase == "seed" else 0
    yield _pair("Outcome", words.attempted(attempt, offset))
    if isinstance(attempt.evaluation, Measured):
        yield _pair("Measured", tag("pre", "\n".join(details(attempt.evaluation.measurement))))
    todo = hint(attempt.evaluation)
    if todo:
        yield _pair("Hint", todo)
    grown = joined(" from ", tag("a", f"#{parent}", href=f"#c{parent}")) if parent is not None else Html("")
    yield _pair("Made by", joined(attempt.candidate.proposer, grown))
    if attempt.candidate.knobs:
        yield _pair("Knobs", ", ".join(f"{name} = {value}" for name, value in attempt.candidate.knobs))
    if attempt.findings:
        items = [tag("li", words.finding(item, offset)) for item in attempt.findings[:_MOST_FINDINGS]]
        left = len(attempt.findings) - len(items)
        yield _pair("Found", tag("ul", *items, tag("li", f"and {left} more") if left else None))
    if attempt.evidence.warnings:
        yield _pair("Warned of", tag("ul", *(tag("li", reason.message) for reason in attempt.evidence.warnings)))
    cost = attempt.cost
    gpu = f", {cost.gpu_seconds:.1f} s of the GPU" if cost.gpu_seconds else ""
    yield _pair("Took", f"{cost.seconds:.1f} s{gpu}")


def _buttons(attempt: Attempt, parent: int | None, last: int) -> Html:
    change = None
    if parent is not None:
        change = tag(
            "button", f"What changed from #{parent}", type="button", data_before=parent, data_after=attempt.index
        )
    source = tag("button", "The source", type="button", data_after=attempt.index)
    return tag("p", change, source, class_="needs-script")


def _pair(name: str, value: str) -> Html:
    return joined(tag("dt", name), tag("dd", value))
