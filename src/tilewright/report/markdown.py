"""A run as Markdown: for pull requests and terminals."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tilewright.records import Finding, Measured, Run
from tilewright.report import words
from tilewright.report.measured import details
from tilewright.report.page.account import not_verified
from tilewright.report.page.headline import summary
from tilewright.report.page.known import Known
from tilewright.report.page.shown import Shows, shows

_MOST_ROWS = 40
"""Of the table of candidates: those that were the best in turn, then the first others."""
_LONGEST = 160


def text(run: Run, known: Known) -> str:
    """The result, what was tried, what holds the best back, what was not verified, how to repeat it."""
    shown = shows(run)
    return "\n".join([*_head(shown, known), *_tried(shown), *_findings(shown), *_rest(shown, known)]) + "\n"


def _head(run: Shows, known: Known) -> Iterator[str]:
    yield f"# {plain(run.run.problem.name)}: {plain(' '.join(summary(run)))}"
    yield ""
    yield f"`{run.run.kernel_path}` on {plain(run.run.gpu)}, run `{run.run.id}`, {run.run.started}"
    if run.best is not None:
        share = known.share_reached.get(run.best.index)
        yield ""
        yield f"Best: #{run.best.index}, {plain(words.attempted(run.best, share_reached=share))}"
        if isinstance(run.best.evaluation, Measured):
            yield from ("", *(f"- {plain(line)}" for line in details(run.best.evaluation.measurement)))


def _tried(run: Shows) -> Iterator[str]:
    """A table; the failures say why in a few words."""
    champions = {champion.index for champion in run.champions}
    chosen = sorted(run.attempts, key=lambda one: (one.attempt.index not in champions, one.attempt.index))
    chosen = sorted(chosen[:_MOST_ROWS], key=lambda one: one.attempt.index)
    yield from ("", "## Candidates", "", "| | turn | what | result | |", "|---|---|---|---|---|")
    for one in chosen:
        what = "the kernel as it was" if one.attempt.phase == "seed" else words.hypothesis(one.attempt)
        mark = "best then" if one.attempt.index in champions else ""
        yield f"| {one.number} | {one.attempt.turn} | {plain(what)} | {plain(one.brief)} | {mark} |"
    left = len(run.attempts) - len(chosen)
    if left:
        yield from ("", f"and {left} more")


def _findings(run: Shows) -> Iterator[str]:
    if not run.run.attempts:
        return
    first, best = run.run.attempts[0], run.best
    yield from ("", "## What holds it back")
    yield from _listed("As it was", first.findings)
    if best is not None and best.index != first.index:
        yield from _listed(f"The best, #{best.index}", best.findings)


def _listed(title: str, found: Sequence[Finding]) -> Iterator[str]:
    yield from ("", f"{title}:", "")
    yield from (f"- {item.rule} (could save est. {item.saves:.0%}): {plain(item.message)}" for item in found)
    if not found:
        yield "- nothing that the rules know"


def _rest(run: Shows, known: Known) -> Iterator[str]:
    yield from ("", "## What was not verified", "")
    yield from (f"- {plain(sentence)}" for sentence in not_verified(run, known))
    yield from ("", "## How to repeat it", "", "```sh", *known.reproduce, "```", "")
    gpu_seconds = sum(one.cost.gpu_seconds for one in run.run.attempts)
    yield f"{len(run.attempts)} candidates in {run.run.seconds:.0f} s, {gpu_seconds:.1f} s of the GPU."
    for use in known.models:
        price = "price not known" if use.usd is None else f"{use.usd:.2f} USD"
        yield f"{plain(use.model)}: {use.calls} questions, {use.tokens:,} tokens, {price}."


def plain(said: str) -> str:
    """One line that Markdown reads as text, whatever a candidate or a model wrote."""
    line = " ".join(said.split())
    line = line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
    return re.sub(r"([\\`*_\[\]<>|#~!])", r"\\\1", line).replace("@", "@\u200b")
