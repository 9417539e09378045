"""Which source rewrites to try on a kernel next, without a language model.

Every rewrite is a file with `rewrite(source) -> Iterator[Rewritten]` and `ANSWERS`, the rules of the analysis whose
findings it answers. It works on TileLang constructs, keeps the kernel's calling convention, and yields nothing where
it doesn't understand all that it would have to keep.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tilewright.proposers.rewrites import (
    block_per_row,
    cache_conversions,
    cache_kernels,
    columns_across_threads,
    drop_round_trips,
    flat_elementwise,
    fuse_elementwise,
    fuse_rows,
    gather_before_reducing,
    larger_matmul_tiles,
    one_atomic_per_block,
    scan_in_tiles,
    split_rows,
    tiled_matmul,
    whole_tile_store,
)
from tilewright.proposers.rewrites.reading.kernels import Rewritten
from tilewright.records import Brief, Candidate, Finding

_MOST_STEPS = 12
"""Rewrites in one candidate that takes them all; a file has a few kernels with one or two each."""

_WORTH_TRYING = 0.1
"""The share of the time that a finding must promise for a rewrite that pays at some sizes only."""


@dataclass(frozen=True)
class Rewrite:
    """A source transformation by its name.

    `sure`: worth having whatever the sizes, so that it can be one of many. `needs_finding`: pays at some sizes only;
    where the analysis found something, but nothing that it answers, it isn't tried.
    """

    name: str
    apply: Callable[[str], Iterator[Rewritten]]
    answers: tuple[str, ...]
    sure: bool = True
    needs_finding: bool = False


# In the order in which they are worth trying where no finding says otherwise, and combine best.
REWRITES: tuple[Rewrite, ...] = (
    Rewrite("tiled_matmul", tiled_matmul.rewrite, tiled_matmul.ANSWERS),
    Rewrite("one_atomic_per_block", one_atomic_per_block.rewrite, one_atomic_per_block.ANSWERS),
    Rewrite("scan_in_tiles", scan_in_tiles.rewrite, scan_in_tiles.ANSWERS),
    Rewrite("block_per_row", block_per_row.rewrite, block_per_row.ANSWERS),
    Rewrite("columns_across_threads", columns_across_threads.rewrite, columns_across_threads.ANSWERS),
    Rewrite("fuse_elementwise", fuse_elementwise.rewrite, fuse_elementwise.ANSWERS),
    Rewrite("fuse_rows", fuse_rows.rewrite, fuse_rows.ANSWERS),
    Rewrite("flat_elementwise", flat_elementwise.rewrite, flat_elementwise.ANSWERS),
    Rewrite("larger_matmul_tiles", larger_matmul_tiles.rewrite, larger_matmul_tiles.ANSWERS, True, True),
    Rewrite("whole_tile_store", whole_tile_store.rewrite, whole_tile_store.ANSWERS),
    Rewrite("split_rows", split_rows.rewrite, split_rows.ANSWERS, False, True),
    Rewrite("gather_before_reducing", gather_before_reducing.rewrite, gather_before_reducing.ANSWERS),
    Rewrite("cache_kernels", cache_kernels.rewrite, cache_kernels.ANSWERS),
    Rewrite("cache_conversions", cache_conversions.rewrite, cache_conversions.ANSWERS),
    Rewrite("drop_round_trips", drop_round_trips.rewrite, drop_round_trips.ANSWERS),
)


class RewriteProposer:
    """Proposes the parent with one rewrite each, those first that answer its weightiest findings.

    Where several apply, the parent with all of them comes first: one evaluation instead of one for each. Stateless:
    what was tried is read from the brief's history.
    """

    name = "rewrites"

    def __init__(self, most: int | None = None) -> None:
        """`most` candidates a turn, where the brief doesn't want fewer."""
        self._most = most

    def propose(self, brief: Brief) -> list[Candidate]:
        parent = brief.parent.candidate
        seen = {attempt.candidate.id for attempt in brief.history} | {parent.id}
        tried = {a.candidate.hypothesis for a in brief.history if a.candidate.parent == parent.id}
        ranked = sorted(REWRITES, key=lambda rewrite: -_weight(rewrite, brief.parent.findings))
        found: list[Candidate] = []
        for source, hypothesis in _proposals(parent.source, ranked, brief.parent.findings):
            candidate = _candidate(parent, source, hypothesis)
            if candidate.id not in seen and hypothesis not in tried:
                seen.add(candidate.id)
                found.append(candidate)
            if len(found) >= min(brief.limit, brief.limit if self._most is None else self._most):
                break
        return found


def _proposals(source: str, ranked: Sequence[Rewrite], findings: Sequence[Finding]) -> Iterator[tuple[str, str]]:
    """(source, hypothesis): all that is sure at once, then one by one, then the variants."""
    together = _together(source, findings)
    if together is not None:
        yield together
    variants = [(rewrite, rewrite.apply(source)) for rewrite in ranked if _may_pay(rewrite, findings)]
    while variants:
        left = []
        for rewrite, results in variants:
            result = next(results, None)
            if result is not None:
                yield result.source, f"{rewrite.name}: {result.hypothesis}"
                left.append((rewrite, results))
        variants = left


def _together(source: str, findings: Sequence[Finding]) -> tuple[str, str] | None:
    """The source with every rewrite that is sure to pay; None where fewer than two apply."""
    applied: list[str] = []
    done: set[tuple[str, str]] = set()
    for rewrite in REWRITES:
        if not rewrite.sure or not _may_pay(rewrite, findings):
            continue
        for _ in range(_MOST_STEPS - len(applied)):
            # A rewrite's sentence names the kernel: the same one again would be a second setting of the same thing.
            steps = ((result.hypothesis, result.source) for result in rewrite.apply(source))
            step = next((s for s in steps if (rewrite.name, _subject(s[0])) not in done), None)
            if step is None:
                break
            done.add((rewrite.name, _subject(step[0])))
            source = step[1]
            applied.append(rewrite.name)
    if len(applied) < 2:
        return None
    return source, f"{' + '.join(dict.fromkeys(applied))}: each removes a cost of its own, and together they add up."


def _may_pay(rewrite: Rewrite, findings: Sequence[Finding]) -> bool:
    return not rewrite.needs_finding or not findings or _weight(rewrite, findings) >= _WORTH_TRYING


def _subject(hypothesis: str) -> str:
    """The sentence without its numbers."""
    return re.sub(r"\d+", "", hypothesis)


def _weight(rewrite: Rewrite, findings: Sequence[Finding]) -> float:
    """What the findings that a rewrite answers could save at most; rules are matched by their words."""
    answered = [_words(rule) for rule in rewrite.answers]
    saves = [
        max(finding.saves, 0.001) for finding in findings if any(words <= _words(finding.rule) for words in answered)
    ]
    return max(saves, default=0.0)


def _words(rule: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z0-9]+", rule.lower()))


def _candidate(parent: Candidate, source: str, hypothesis: str) -> Candidate:
    return Candidate(
        source=source,
        form=parent.form,
        entry_point=parent.entry_point,
        parent=parent.id,
        proposer=RewriteProposer.name,
        hypothesis=hypothesis,
        support=parent.support,
    )
