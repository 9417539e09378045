"""Which knob settings of a kernel to try next: a hill climb over its knobs."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tilewright.records import Attempt, Brief, Candidate, Estimated, Knob, KnobValue, Measured, content_id
from tilewright.scores import score as score_of
from tilewright.source.feasibility import Limits, infeasible
from tilewright.source.knobs import find_knobs, values_of, with_values

Setting = tuple[tuple[str, KnobValue], ...]
"""Every knob's name and value, in the order of the source."""

# A runner-up this close to the best is climbed from too, once all around the best has been tried.
_WORTH_CLIMBING = 0.85
_RANDOM_DRAWS = 64
# Logarithms of a ratio: what each further knob in a move must promise, and what a usual step of a factor 2 does.
_RISK = 0.01
_TRUST_IN_THE_USUAL = 0.08


class KnobTuner:
    """Proposes settings of the parent's structure: its neighbours one step away and a few joint moves.

    At 10 to 40 evaluations a hill climb beats model-based search on such landscapes. Stateless: what was tried, and
    how it went, is read from the brief. `budget` is the most settings proposed for one structure, over a whole run.
    """

    name = "tuner"

    def __init__(self, gpu: Limits, budget: int = 40, seed: int = 0) -> None:
        """`seed`: of where the climb begins anew once all around the best was tried."""
        self.gpu = gpu
        self.budget = budget
        self.seed = seed

    def propose(self, brief: Brief) -> Sequence[Candidate]:
        attempts = _of_structure((*brief.history, brief.parent), brief.parent.candidate.structure_id)
        used = sum(attempt.candidate.proposer == self.name for attempt in attempts)
        base = _base(attempts, brief.parent.candidate)
        knobs = [knob for knob in find_knobs(base.source) if len(knob.choices) > 1]
        wanted = min(brief.limit, self.budget - used)
        if not knobs or wanted <= 0:
            return ()
        search = _Search.of(knobs, attempts)
        proposals: list[Candidate] = []
        seen: set[Setting] = set()
        for origin, setting in search.moves(content_id(base.id, len(attempts), self.seed)):
            if len(proposals) == wanted:
                break
            if setting in seen or search.was_tried(setting) or search.keeps_failing(setting):
                continue
            seen.add(setting)
            if infeasible(base.source, dict(setting), self.gpu) is None:
                proposals.append(self._candidate(base, knobs, search, origin, setting))
        return proposals

    def _candidate(
        self, base: Candidate, knobs: Sequence[Knob], search: _Search, origin: Setting, setting: Setting
    ) -> Candidate:
        parent = search.candidate_ids.get(origin, base.id)
        return Candidate(
            source=with_values(base.source, dict(setting)),
            form=base.form,
            entry_point=base.entry_point,
            parent=parent,
            proposer=self.name,
            hypothesis=_hypothesis(knobs, dict(origin), dict(setting)),
            knobs=setting,
            structure=base.structure_id,
            support=base.support,
        )


def response_surface(
    history: Iterable[Attempt], structure: str
) -> list[tuple[dict[str, KnobValue], float | None, str]]:
    """Of one structure: each setting tried, its score (see `score`) and how it ended, in order."""
    return [
        (values_of(attempt.candidate.source), score(attempt), _outcome(attempt))
        for attempt in _of_structure(history, structure)
    ]


def score(attempt: Attempt) -> float | None:
    """Higher is faster: the low end of a measured speedup, or 1 / estimated milliseconds; None where neither is.

    The two kinds are on different scales and never compared with each other.
    """
    found = score_of(attempt.evaluation)
    if found is None:
        return None
    return found.low if found.kind == "measured" else found.value


# ---------------------------------------------------------------- what is known of a structure


def _of_structure(attempts: Iterable[Attempt], structure: str) -> list[Attempt]:
    by_candidate: dict[str, Attempt] = {}
    for attempt in attempts:
        if attempt.candidate.structure_id == structure:
            by_candidate[attempt.candidate.id] = attempt
    return list(by_candidate.values())


def _base(attempts: Sequence[Attempt], parent: Candidate) -> Candidate:
    """The candidate whose knobs are set: the structure's own, so that every setting is spliced into the same text."""
    return next((a.candidate for a in attempts if a.candidate.id == parent.structure_id), parent)


def _outcome(attempt: Attempt) -> str:
    return attempt.evaluation.outcome if attempt.evaluation is not None else "abandoned"


@dataclass(frozen=True)
class _Search:
    knobs: Sequence[Knob]
    scores: Mapping[Setting, float]
    candidate_ids: Mapping[Setting, str]
    hopeless: frozenset[tuple[str, KnobValue]]
    start: Setting
    pairs: Sequence[_Pair]

    @classmethod
    def of(cls, knobs: Sequence[Knob], attempts: Sequence[Attempt]) -> _Search:
        names = [knob.name for knob in knobs]
        settings = {attempt.candidate.id: _setting(attempt.candidate.source, names) for attempt in attempts}
        measured = any(isinstance(attempt.evaluation, Measured) for attempt in attempts)
        kind = Measured if measured else Estimated
        scores: dict[Setting, float] = {}
        failures: Counter[tuple[str, KnobValue]] = Counter()
        works: set[tuple[str, KnobValue]] = set()
        for attempt in attempts:
            setting, value = settings[attempt.candidate.id], score(attempt)
            if value is not None:
                works.update(setting)
                if isinstance(attempt.evaluation, kind):
                    scores[setting] = value
            elif _outcome(attempt) not in ("abandoned", "unscorable", "verified"):
                failures.update(setting)
        hopeless = frozenset(pair for pair, count in failures.items() if count >= 2 and pair not in works)
        start = tuple((knob.name, knob.value) for knob in knobs)
        ids = {settings[attempt.candidate.id]: attempt.candidate.id for attempt in attempts}
        return cls(knobs, scores, ids, hopeless, start, list(_pairs(knobs, scores)))

    def was_tried(self, setting: Setting) -> bool:
        return setting in self.candidate_ids

    def keeps_failing(self, setting: Setting) -> bool:
        """Whether it holds a value that failed twice and never worked."""
        return any(pair in self.hopeless for pair in setting)

    def moves(self, seed: str) -> Iterator[tuple[Setting, Setting]]:
        """(from, to), the most promising first: around the best, then runners-up and random ones in turn."""
        ranked = sorted(self.scores, key=lambda setting: -self.scores[setting]) or [self.start]
        best = ranked[0]
        yield from self._around(best)
        close = [s for s in ranked[1:] if self.scores[s] >= _WORTH_CLIMBING * self.scores[best]]
        runners_up = (move for setting in close for move in self._around(setting))
        restarts = ((best, setting) for setting in self._random(seed))
        for pair in itertools.zip_longest(restarts, runners_up):
            yield from (move for move in pair if move is not None)

    def _around(self, origin: Setting) -> Iterator[tuple[Setting, Setting]]:
        """One step of one knob, balanced steps of two, and all steps together that promise something."""
        gains = {
            step: self._gain(origin, step) for knob in self.knobs for step in _steps(knob, dict(origin)[knob.name])
        }
        moves: list[tuple[_Step, ...]] = [(step,) for step in gains]
        moves += [pair for pair in itertools.combinations(gains, 2) if _belong(*pair)]
        if self.pairs:
            best_of_each = {step.knob.name: step for step in sorted(gains, key=lambda step: gains[step])}
            rising = sorted((s for s in best_of_each.values() if gains[s] > 0), key=lambda step: -gains[step])
            moves += [tuple(rising[:count]) for count in range(2, len(rising) + 1)]
        # Joint moves are judged by what their single steps brought, so those come first while nothing is known.
        singles_first = not self.pairs
        for move in sorted(moves, key=lambda m: (singles_first * len(m), -sum(gains[s] - _RISK for s in m))):
            changed = dict(origin) | {step.knob.name: step.to for step in move}
            yield origin, tuple(changed.items())

    def _gain(self, origin: Setting, step: _Step) -> float:
        """Expected gain, as a logarithm: what such steps brought so far, else a share of what they usually bring."""
        observed = self._observed(origin, step)
        return _TRUST_IN_THE_USUAL * _usual_gain(step) if observed is None else observed

    def _observed(self, origin: Setting, step: _Step) -> float | None:
        """The mean logarithmic gain of tried pairs that differ in this knob alone, in this direction; pairs that
        are nearer to `origin` count more."""
        total = weights = 0.0
        for pair in self.pairs:
            if pair.knob == step.knob.name and (pair.after > pair.before) == step.upwards:
                others = sum(x != y for x, y in zip(pair.setting, origin) if x[0] != pair.knob)
                weight = 1.0 / (1 + others + abs(pair.before - step.position)) ** 2
                total += weight * pair.gain / abs(pair.after - pair.before)
                weights += weight
        return total / weights if weights else None

    def _random(self, seed: str) -> Iterator[Setting]:
        source = random.Random(seed)
        for _ in range(_RANDOM_DRAWS):
            yield tuple((knob.name, source.choice(knob.choices)) for knob in self.knobs)


@dataclass(frozen=True)
class _Pair:
    """Two tried settings that differ in one knob: from choice `before` to choice `after`, with what it brought."""

    knob: str
    before: int
    after: int
    setting: Setting
    gain: float


def _pairs(knobs: Sequence[Knob], scores: Mapping[Setting, float]) -> Iterator[_Pair]:
    choices = {knob.name: knob.choices for knob in knobs}
    for a, b in itertools.permutations(scores, 2):
        differing = [(name, old, new) for (name, old), (_, new) in zip(a, b) if old != new]
        if len(differing) == 1:
            name, old, new = differing[0]
            if old in choices[name] and new in choices[name]:
                before, after = choices[name].index(old), choices[name].index(new)
                yield _Pair(name, before, after, a, math.log(scores[b] / scores[a]))


def _setting(source: str, names: Sequence[str]) -> Setting:
    values = values_of(source)
    return tuple((name, values.get(name)) for name in names)


# ---------------------------------------------------------------- moves


@dataclass(frozen=True)
class _Step:
    """A knob's value one choice further."""

    knob: Knob
    present: KnobValue
    to: KnobValue

    @property
    def position(self) -> int:
        return self.knob.choices.index(self.present)

    @property
    def upwards(self) -> bool:
        return self.knob.choices.index(self.to) > self.position


def _steps(knob: Knob, present: KnobValue) -> Iterator[_Step]:
    if present not in knob.choices:
        return
    position = knob.choices.index(present)
    for index in (position + 1, position - 1):
        if 0 <= index < len(knob.choices):
            yield _Step(knob, present, knob.choices[index])


def _belong(a: _Step, b: _Step) -> bool:
    """Joint moves that keep a balance: a tile grows with its threads, one tile side for another, depth for stages."""
    if a.knob.name == b.knob.name or _owner(a.knob) != _owner(b.knob):
        return False
    kinds = {a.knob.kind, b.knob.kind}
    if kinds == {"tile", "threads"} or kinds == {"tile"}:
        return kinds == {"tile"} or a.upwards == b.upwards
    return kinds == {"tile", "stages"} and a.upwards != b.upwards


def _owner(knob: Knob) -> str:
    return knob.name.rpartition(".")[0]


# Where well-made kernels usually end up, and how much it usually matters to be there. Orders the first round only:
# what a step really brought counts as soon as it is known.
_USUAL = {"tile": (128, 1.0), "threads": (192, 0.8), "other": (4, 0.3)}
_USUAL_FLAT_TILE, _USUAL_DEPTH_TILE, _USUAL_SHARE, _USUAL_STAGES = 2048, 48, 8, 2.5


def _usual_gain(step: _Step) -> float:
    """How much closer a step comes to what is usual, in powers of two."""
    kind = step.knob.kind
    if isinstance(step.to, bool) or not isinstance(step.to, int) or not isinstance(step.present, int):
        return 0.2
    if kind == "stages":
        return abs(step.present - _USUAL_STAGES) - abs(step.to - _USUAL_STAGES)
    usual, matters = _USUAL.get(kind, (8, 0.2))
    if _is_share(step.knob):
        usual, matters = _USUAL_SHARE, 0.4
    elif _is_flat(step.knob):
        usual = _USUAL_FLAT_TILE
    elif kind == "tile" and step.knob.name.lower().endswith("k"):
        usual = _USUAL_DEPTH_TILE
    before, after = (abs(math.log2(max(value, 0.5) / usual)) for value in (step.present, step.to))
    return matters * (before - after)


def _is_flat(knob: Knob) -> bool:
    """A tile over a flattened tensor or a whole row, where thousands are usual."""
    return knob.kind == "tile" and any(isinstance(choice, int) and choice > 256 for choice in knob.choices)


def _is_share(knob: Knob) -> bool:
    """`rows_per_block`, `items_per_thread`: how much of the problem one of them does."""
    return knob.kind == "tile" and "per_" in knob.name


def _why(knob: Knob, upwards: bool) -> str:
    kind = "share" if _is_share(knob) else "flat" if _is_flat(knob) else knob.kind
    return _WHY.get((kind, upwards), "it costs nothing to know")


_WHY = {
    ("share", True): "more work for each, so fewer of them and less overhead",
    ("share", False): "more blocks to fill the GPU",
    ("flat", True): "more work for each block, with wider loads",
    ("flat", False): "more blocks to fill the GPU",
    ("tile", True): "more reuse per byte loaded",
    ("tile", False): "more blocks to fill the GPU, fewer registers for each",
    ("threads", True): "more warps to hide latency",
    ("threads", False): "more work and more registers per thread",
    ("stages", True): "loads run further ahead of their use",
    ("stages", False): "less shared memory, so more blocks at once",
    ("swizzle", True): "another order of the blocks for reuse in L2",
    ("swizzle", False): "another order of the blocks for reuse in L2",
}


def _hypothesis(knobs: Sequence[Knob], before: Mapping[str, KnobValue], after: Mapping[str, KnobValue]) -> str:
    changed = [knob for knob in knobs if before[knob.name] != after[knob.name]]
    changes = ", ".join(f"{knob.name} {before[knob.name]} -> {after[knob.name]}" for knob in changed)
    if any(abs(k.choices.index(after[k.name]) - k.choices.index(before[k.name])) > 1 for k in changed):
        return f"{changes}: a restart further away, where another hill may be"
    if len(changed) > 2:
        return f"{changes}: steps that promise something on their own, taken together"
    reasons = []
    for knob in changed:
        old, new = before[knob.name], after[knob.name]
        upwards = isinstance(old, int) and isinstance(new, int) and new > old
        reasons.append(_why(knob, upwards))
    return f"{changes}: {'; '.join(dict.fromkeys(reasons))}"
