"""What was tried before, how did it end, and why?"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence

from tilewright.errors import KernelFileError
from tilewright.lm import fenced
from tilewright.records import Attempt, Brief, Candidate, Estimated, KnobValue, Measured
from tilewright.scores import score
from tilewright.source.knobs import values_of
from tilewright.wording import kernels, numbers
from tilewright.wording.outcomes import outcome, why_briefly

_MOST_SETTINGS = 12
"""Rows of the table of knob settings: the best ones, and the worst."""
_LONGEST_DIFF = 120
"""Lines of one change that are shown; one that is longer wrote the kernel anew."""
_MOST_SAID = 300


def tried(brief: Brief, room: int) -> str:
    """Changes of structure with their outcomes, the most telling first, in about `room` characters.

    What does not fit is shown without its change, so that no idea is proposed twice. Of a structure whose knobs were
    searched, its best setting counts.
    """
    known = {attempt.candidate.id: attempt.candidate for attempt in brief.history}
    families = _families(brief.history)
    lineage = _lineage(brief.parent.candidate, known)
    structures = [attempt for attempt in brief.history if attempt.phase == "structure"]
    blocks: list[str] = []
    for attempt in sorted(structures, key=lambda one: _telling(one, families)):
        head = _head(attempt, families, lineage, brief.parent)
        change = "" if attempt.candidate.id in lineage else _change(attempt.candidate, known)
        whole = "\n".join(part for part in (head, why_briefly(attempt), change) if part)
        fits = len(whole) <= room
        blocks.append(whole if fits else head)
        room -= len(blocks[-1])
    return "\n\n".join(blocks) or "Nothing yet."


def knobs(brief: Brief) -> str:
    """The settings of the parent's structure that were tried: a table of the values that differ, fastest first, and
    the values that all of them had."""
    family = _families(brief.history).get(brief.parent.candidate.structure_id, [])
    settings = [(attempt, _values(attempt.candidate)) for attempt in family]
    known = settings[0][1] if settings else {}
    names = [name for name in known if _differs(name, [values for _, values in settings])]
    fixed = [f"{name} {value}" for name, value in known.items() if name not in names]
    same = [f"all at: {', '.join(fixed)}"] if fixed else []
    if not names:
        return "\n".join(["No other values were tried for this structure.", *same])
    timed = sorted((pair for pair in settings if score(pair[0].evaluation)), key=lambda pair: -_value(pair[0]))
    failed = [pair for pair in settings if not score(pair[0].evaluation)]
    rows = [_row(attempt, values, names) for attempt, values in [*_both_ends(timed), *failed[-_MOST_SETTINGS // 2 :]]]
    head = f"| {' | '.join(names)} | result |\n|{'---|' * (len(names) + 1)}"
    left_out = len(settings) - len(rows)
    return "\n".join([head, *rows, *([f"and {left_out} more between or like these"] if left_out else []), *same])


def looked_back(parent: Attempt, structure: Attempt, setting: Attempt, more: Sequence[str] = ()) -> str:
    """A change with what was measured of its fastest setting, before and after, `more` of that, and its diff."""
    before, after = parent.candidate, setting.candidate
    lines = [
        f"{structure.candidate.hypothesis[:_MOST_SAID]}\n-> {outcome(setting)}",
        *_times(parent, setting),
        *more,
        f"Knobs: {_chosen(_values(before), _values(after))}",
        *(f"{when}:\n{text}" for when, text in (("Before", _made(parent)), ("After", _made(setting))) if text),
        change(before.source, after.source),
    ]
    return "\n".join(lines)


def ended(tried: Sequence[Attempt]) -> str:
    """A line for each change of structure: what it was, and how it, or the best of its settings, ended."""
    families = _families(tried)
    return "\n".join(
        f"- {attempt.candidate.hypothesis[:_MOST_SAID]} -> {outcome(_best(attempt, families))}"
        for attempt in tried
        if attempt.phase == "structure"
    )


def _times(parent: Attempt, setting: Attempt) -> list[str]:
    if not (isinstance(parent.evaluation, Measured) and isinstance(setting.evaluation, Measured)):
        return []
    before = {timing.workload: timing for timing in parent.evaluation.measurement.timings}
    return [
        f"{now.workload}: {numbers.ms(before[now.workload].candidate_ms)} on the device before, "
        f"{numbers.ms(now.candidate_ms)} after"
        for now in setting.evaluation.measurement.timings
        if now.workload in before
    ]


def _chosen(before: Mapping[str, KnobValue], after: Mapping[str, KnobValue]) -> str:
    return ", ".join(
        f"{name} {before[name]} -> {value}" if before.get(name, value) != value else f"{name} {value}"
        for name, value in after.items()
    )


def _made(attempt: Attempt) -> str:
    return "\n".join(kernels.resources(attempt.evidence))


def change(before: str, after: str, longest: int = _LONGEST_DIFF) -> str:
    """A unified diff as a fenced block; "" where nothing changed, the first `longest` lines of a long one."""
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=1))[2:]
    if not lines:
        return ""
    more = [f"... {len(lines) - longest} more lines"] if len(lines) > longest else []
    return fenced("\n".join([*lines[:longest], *more]), 100 * longest)


def _families(history: Iterable[Attempt]) -> dict[str, list[Attempt]]:
    """Attempts by structure, each candidate once."""
    families: dict[str, dict[str, Attempt]] = {}
    for attempt in history:
        families.setdefault(attempt.candidate.structure_id, {})[attempt.candidate.id] = attempt
    return {structure: list(found.values()) for structure, found in families.items()}


def _lineage(candidate: Candidate, known: Mapping[str, Candidate]) -> set[str]:
    """The candidate, what it was made from, and so on: their changes stand in its source."""
    ids: set[str] = set()
    at: Candidate | None = candidate
    while at is not None and at.id not in ids:
        ids |= {at.id, at.structure_id}
        at = known.get(at.parent or "")
    return ids


def _best(attempt: Attempt, families: Mapping[str, Sequence[Attempt]]) -> Attempt:
    family = [one for one in families.get(attempt.candidate.structure_id, ()) if score(one.evaluation)]
    return max(family, key=_value, default=attempt)


def _value(attempt: Attempt) -> float:
    found = score(attempt.evaluation)
    return found.value if found else 0.0


def _telling(attempt: Attempt, families: Mapping[str, Sequence[Attempt]]) -> tuple[float, int]:
    """What was fastest first, then failures, the latest first."""
    return -_value(_best(attempt, families)), -attempt.index


def _head(attempt: Attempt, families: Mapping[str, Sequence[Attempt]], lineage: set[str], present: Attempt) -> str:
    candidate, best = attempt.candidate, _best(attempt, families)
    name = candidate.hypothesis or f"proposed by {candidate.proposer}"
    text = f"#{attempt.index} (turn {attempt.turn}) {name[:_MOST_SAID]}\n-> {outcome(attempt)}"
    if best is not attempt:
        text += f"; after its knobs were searched: {outcome(best)}"
    now, then = score(present.evaluation), score(best.evaluation)
    if now and then and now.kind == then.kind and candidate.id not in lineage:
        text += f"; {then.value / now.value:.2f}x of the present kernel's speed"
    return f"{text}; part of the present kernel" if candidate.id in lineage else text


def _change(candidate: Candidate, known: Mapping[str, Candidate]) -> str:
    parent = known.get(candidate.parent or "")
    return change(parent.source, candidate.source) if parent else ""


def _values(candidate: Candidate) -> dict[str, KnobValue]:
    try:
        return values_of(candidate.source)
    except KernelFileError:  # no Python, or TUNABLES that name nothing: its failure says so
        return {}


def _differs(name: str, settings: Sequence[Mapping[str, KnobValue]]) -> bool:
    return len({values.get(name) for values in settings}) > 1


def _both_ends(timed: Sequence[tuple[Attempt, dict[str, KnobValue]]]) -> list[tuple[Attempt, dict[str, KnobValue]]]:
    if len(timed) <= _MOST_SETTINGS:
        return list(timed)
    return [*timed[: _MOST_SETTINGS * 2 // 3], *timed[-_MOST_SETTINGS // 3 :]]


def _row(attempt: Attempt, values: Mapping[str, KnobValue], names: Sequence[str]) -> str:
    cells = [str(values.get(name, "")) for name in names]
    return f"| {' | '.join(cells)} | {_result(attempt)} |"


def _result(attempt: Attempt) -> str:
    match attempt.evaluation:
        case Measured(measurement=m):
            times = ", ".join(numbers.ms(timing.candidate_ms) for timing in m.timings)
            return f"{numbers.ratio(m.speedup_ratio, m.low, m.high)}, {times}"
        case Estimated(estimate=e):
            return "estimated " + ", ".join(numbers.ms(row.candidate_ms) for row in e.estimates)
        case _:
            return outcome(attempt)
