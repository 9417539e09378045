"""Which techniques helped where? Read from stored runs, so that it grows with them.

A try is a change that was proposed: of a kernel's structure, or of its knobs. It counts for its proposer, for the
rewrites that its hypothesis names, and for the techniques (`data/techniques.toml`) that its source shows and the one
it grew from did not. Of a change that shows several nobody knows which one helped: each of them has it, and `alone`
says how many tries were of that one only. Tries at one kernel are not independent, which intervals take them to be.
"""

from __future__ import annotations

import re
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from tilewright.proposers.rewrites import RewriteProposer
from tilewright.rag.operations import main_family
from tilewright.rag.techniques import found_in, shipped_techniques
from tilewright.records import Attempt, Candidate, Run, Verified
from tilewright.scores import doubtful, score
from tilewright.worker.timing.intervals import median_interval

Kind = Literal["proposer", "rewrite", "recognised"]
GAIN = 0.02
"""The same kernel in two processes may differ by this share of its time; less is no gain."""
FEWEST = 6
"""Of fewer values even their whole range holds the median with less than 95 %: 1 - 2 / 2**5 is 94 %."""


@dataclass(frozen=True)
class Credit:
    """What came of one technique in one family of operations.

    `median` is of the speed over that of the kernel that a change grew from, over the tries that were right;
    `interval` its 95 % interval, None for fewer than `FEWEST` of them. `measured`: else of estimated times.
    """

    kind: Kind
    technique: str
    family: str
    measured: bool
    tries: int
    alone: int
    correct: int
    gains: int
    """Tries that were faster by more than `GAIN`."""
    median: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class _Try:
    named: Mapping[Kind, tuple[str, ...]]
    family: str
    measured: bool
    correct: bool
    ratio: float | None


def credits(runs: Iterable[Run]) -> list[Credit]:
    """Proposers, then rewrites, then recognised techniques; of each those first that brought most gains."""
    of: dict[tuple[Kind, str, str, bool], list[_Try]] = defaultdict(list)
    for one in _tries(runs):
        for kind, names in one.named.items():
            for name in names:
                of[kind, name, one.family, one.measured].append(one)
    rows = [_credit(*key, tries) for key, tries in of.items()]
    kinds: tuple[Kind, ...] = ("proposer", "rewrite", "recognised")
    return sorted(rows, key=lambda row: (kinds.index(row.kind), -row.gains, -row.tries, row.technique, row.family))


def _credit(kind: Kind, technique: str, family: str, measured: bool, tries: list[_Try]) -> Credit:
    ratios = [one.ratio for one in tries if one.ratio is not None]
    median, low, high = median_interval(ratios) if ratios else (None, 0.0, 0.0)
    return Credit(
        kind=kind,
        technique=technique,
        family=family,
        measured=measured,
        tries=len(tries),
        alone=sum(len(one.named[kind]) == 1 for one in tries),
        correct=sum(one.correct for one in tries),
        gains=sum(ratio > 1 + GAIN for ratio in ratios),
        median=median,
        interval=(low, high) if len(ratios) >= FEWEST else None,
    )


def _tries(runs: Iterable[Run]) -> Iterator[_Try]:
    """What several runs tried at the same kernel is one try, with the median of what it brought."""
    same: dict[tuple[str, str, str | None, str], list[_Try]] = defaultdict(list)
    for run in runs:
        by_id = {attempt.candidate.id: attempt for attempt in run.attempts}
        family = main_family(run.problem.source, run.problem.entry_point)
        for attempt in run.attempts:
            if attempt.phase != "seed" and attempt.evaluation is not None:
                candidate = attempt.candidate
                key = (run.problem.id, run.gpu, candidate.parent, candidate.id)
                same[key].append(_try(run, attempt, by_id, family))
    for found in same.values():
        ratios = [one.ratio for one in found if one.ratio is not None]
        first = found[0]
        yield _Try(
            first.named,
            first.family,
            first.measured,
            any(one.correct for one in found),
            statistics.median(ratios) if ratios else None,
        )


def _try(run: Run, attempt: Attempt, by_id: Mapping[str, Attempt], family: str) -> _Try:
    base = _base(attempt, by_id)
    before, after = score(base.evaluation) if base else None, _best_value(run, attempt)
    named: dict[Kind, tuple[str, ...]] = {
        "proposer": (attempt.candidate.proposer,),
        "rewrite": _rewrites(attempt.candidate),
        "recognised": _added(base.candidate, attempt.candidate) if base else (),
    }
    return _Try(
        named=named,
        family=family,
        measured=run.evaluator != "offline",
        correct=score(attempt.evaluation) is not None or isinstance(attempt.evaluation, Verified),
        ratio=after / before.value if before and after else None,
    )


def _base(attempt: Attempt, by_id: Mapping[str, Attempt]) -> Attempt | None:
    """The nearest ancestor with a time: of a mended candidate the one that the failed one grew from."""
    parent = by_id.get(attempt.candidate.parent or "")
    while parent is not None and score(parent.evaluation) is None:
        parent = by_id.get(parent.candidate.parent or "")
    return parent


def _best_value(run: Run, attempt: Attempt) -> float | None:
    """Of a structure at the best of its settings, since its first ones may hide what it is worth."""
    family = [attempt]
    if attempt.phase == "structure":
        family = [one for one in run.attempts if one.candidate.structure_id == attempt.candidate.id]
    values = [found.value for one in family if not doubtful(one) and (found := score(one.evaluation))]
    return max(values, default=None)


def _rewrites(candidate: Candidate) -> tuple[str, ...]:
    """The names before the colon: "block_per_row + cache_kernels: ..."."""
    named = re.match(r"(\w+(?: \+ \w+)*): ", candidate.hypothesis)
    if candidate.proposer != RewriteProposer.name or named is None:
        return ()
    return tuple(named.group(1).split(" + "))


def _added(before: Candidate, after: Candidate) -> tuple[str, ...]:
    return tuple(name for name in _shown(after.source) if name not in _shown(before.source))


@lru_cache(maxsize=256)
def _shown(source: str) -> tuple[str, ...]:
    return tuple(technique.name for technique in found_in(source, shipped_techniques()))
