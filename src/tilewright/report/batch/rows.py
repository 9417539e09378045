"""What is shown of a batch: a row a kernel, means over groups of them, and what helped."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import PurePath

from tilewright.records import Attempt, Run
from tilewright.scores import best, gain, score

ShareReached = Callable[[Attempt, str], "float | None"]
"""Of what a GPU (by its name) allows the problem, the share that an attempt reached; None where that isn't known."""


@dataclass(frozen=True)
class Step:
    """One step of the way to a kernel's best: what was done, and the ratio of speeds that it brought."""

    what: str
    ratio: float


@dataclass(frozen=True)
class Row:
    """A kernel of a batch.

    `gain` is its best over the kernel it began with; `before` and `after` are measured speedups over the baseline,
    None where times are estimates. `limit` is the share of its limit that the best reaches. `detail` says why it
    stopped, or could not be worked on.
    """

    kernel: str
    state: str
    level: int | None = None
    family: str = ""
    run: str = ""
    before: float | None = None
    after: float | None = None
    gain: float | None = None
    measured: bool = False
    limit: float | None = None
    attempts: int = 0
    gpu_seconds: float = 0.0
    detail: str = ""
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Mean:
    """Geometric means over the kernels of a group that have a result; those that gained nothing count with 1."""

    group: str
    kernels: int
    gain: float
    before: float | None
    after: float | None


@dataclass(frozen=True)
class Helped:
    """What was done on the way to a best, how many times over all kernels, and the geometric mean of what it
    brought."""

    what: str
    times: int
    ratio: float


@dataclass(frozen=True)
class Summary:
    """A batch as it is shown. `ended`: all of its kernels have; else `stop_reason` and `stop_detail` say why it
    stopped before, if that was for all of them."""

    name: str
    gpu: str
    rows: tuple[Row, ...]
    seconds: float
    gpu_seconds: float
    evaluations: int
    usd: float
    tokens: int
    ended: bool = True
    stop_reason: str = ""
    stop_detail: str = ""

    @property
    def measured(self) -> bool:
        return any(row.measured for row in self.rows)


def row(run: Run, state: str, family: str, share_reached: ShareReached) -> Row:
    """Of a run as far as it has come."""
    found, holder = gain(run), best(run)
    top = score(holder.evaluation) if holder else None
    first = score(run.attempts[0].evaluation) if run.attempts else None
    measured = top is not None and top.kind == "measured"
    return Row(
        kernel=run.kernel_path,
        state=state,
        level=run.problem.level,
        family=family,
        run=run.id,
        before=first.value if first and first.kind == "measured" else None,
        after=top.value if top and measured else None,
        gain=found[2] if found else None,
        measured=measured,
        limit=share_reached(holder, run.gpu) if holder else None,
        attempts=len(run.attempts),
        gpu_seconds=sum(attempt.cost.gpu_seconds for attempt in run.attempts),
        detail=run.stop_detail,
        steps=tuple(steps(run)),
    )


def steps(run: Run) -> list[Step]:
    """From the best back to the seed, by parents; a step from one that was not right has no ratio."""
    by_id = {attempt.candidate.id: attempt for attempt in run.attempts}
    found: list[Step] = []
    at = best(run)
    while at is not None and at.candidate.parent in by_id and at.phase != "seed":
        parent = by_id[at.candidate.parent]
        after, before = score(at.evaluation), score(parent.evaluation)
        if after and before and after.kind == before.kind:
            found.insert(0, Step(_what(at), after.value / before.value))
        at = parent
    return found


def means(rows: Iterable[Row], group: Callable[[Row], str]) -> list[Mean]:
    """Groups in the order of their names."""
    groups: dict[str, list[Row]] = {}
    for one in rows:
        if one.gain is not None:
            groups.setdefault(group(one), []).append(one)
    return [_mean(name, groups[name]) for name in sorted(groups)]


def all_means(rows: Sequence[Row]) -> list[Mean]:
    """Of all, of each level, and of each family of operations."""
    return [
        *means(rows, lambda row: "all"),
        *means((row for row in rows if row.level is not None), lambda row: f"level {row.level}"),
        *means((row for row in rows if row.family), lambda row: row.family),
    ]


def helped(rows: Iterable[Row]) -> list[Helped]:
    """What brought most first: by the logarithms of its ratios, summed up."""
    ratios: dict[str, list[float]] = {}
    for one in rows:
        for step in one.steps:
            ratios.setdefault(step.what, []).append(step.ratio)
    found = [Helped(what, len(each), geometric_mean(each)) for what, each in ratios.items()]
    return sorted(found, key=lambda one: -one.times * math.log(one.ratio))


def short_names(rows: Sequence[Row]) -> dict[str, str]:
    """Of kernels by their paths: without the folders that all of them share."""
    paths = {row.kernel: PurePath(row.kernel) for row in rows}
    folders = [path.parts[:-1] for path in paths.values() if len(path.parts) > 1]
    shared = PurePath(*(parts[0] for parts in takewhile(lambda parts: len(set(parts)) == 1, zip(*folders))))
    return {
        kernel: str(path.relative_to(shared) if path.is_relative_to(shared) else path)
        for kernel, path in paths.items()
    }


def geometric_mean(values: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


def _mean(name: str, rows: Sequence[Row]) -> Mean:
    gains = [max(row.gain, 1e-9) for row in rows if row.gain is not None]
    pairs = [(row.before, row.after) for row in rows if row.before and row.after]
    before = geometric_mean([one for one, _ in pairs]) if pairs else None
    after = geometric_mean([one for _, one in pairs]) if pairs else None
    return Mean(name, len(rows), geometric_mean(gains), before, after)


def _what(attempt: Attempt) -> str:
    """The rewrites' names, whose hypotheses begin with them; a knob search; else who proposed it."""
    candidate = attempt.candidate
    if attempt.phase == "knobs":
        return "knobs"
    name = candidate.hypothesis.partition(":")[0]
    return name if candidate.proposer == "rewrites" and name else candidate.proposer
