"""Which kernels, made fast before, should be looked at for this one?

Relevance is what a kernel computes: the operations of its reference, then the words of both sources. What holds the
kernel at hand back, how fast others were measured to be and their size decide among those that are about as relevant.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from tilewright.rag.corpus import Entry, read_corpus
from tilewright.rag.duplicates import Identity, identity
from tilewright.rag.embeddings import Embedder, Vectors, reordered
from tilewright.rag.lexical import Bm25, words
from tilewright.rag.operations import HEAVY, LIGHT, MADE_OF_PRODUCTS, Operation, operations
from tilewright.rag.sizes import elements
from tilewright.rag.techniques import Technique, found_in, shipped_techniques
from tilewright.records import Candidate, Example, Finding, Problem

OPERATIONS = 0.7
"""The share of relevance that operations have; words have the rest. `benchmarks/retrieval.py` tries others."""
REMEDY, FAST, SIZE = 0.3, 0.15, 0.05
"""How much more a kernel may count that answers all findings, was measured no slower than PyTorch, is as large."""
_SHORTLIST = 4
"""For each example wanted, kernels for so many problems are looked at for techniques."""
_NAME_WORDS, _KERNEL_WORDS = 5.0, 0.2
"""How much a word of a problem's name, or of a kernel, counts beside one of a reference: kernels share most words."""
_LEAST_SAVED = 0.01
"""What a finding counts that doesn't say how much could be saved."""


@dataclass(frozen=True)
class _Indexed:
    entry: Entry
    identity: Identity
    features: Mapping[str, float]
    elements: int | None


class MultiturnOptimizationRAG:
    """Finds examples among `corpus` (the shipped kernels by default), with the techniques of `patterns` in them.

    Never shows a kernel for the same problem, or for a near duplicate of it, unless `duplicates` are wanted. Of
    several kernels for one problem only the best is shown. `embedder` adds a ranking by meaning; none is used by
    default. `arch` (sm_90a) leaves out techniques that the GPU has not.
    """

    name = "corpus"

    def __init__(
        self,
        corpus: Sequence[Entry] | None = None,
        patterns: Sequence[Technique] | None = None,
        k: int = 3,
        *,
        embedder: Embedder | None = None,
        duplicates: bool = False,
        arch: str = "",
        operations_share: float = OPERATIONS,
    ) -> None:
        entries = read_corpus() if corpus is None else corpus
        known = shipped_techniques() if patterns is None else patterns
        self.k = k
        self._patterns = [pattern for pattern in known if pattern.runs_on(arch)]
        self._found: dict[str, tuple[Technique, ...]] = {}
        self._duplicates = duplicates
        self._operations_share = operations_share
        self._indexed = [_indexed(entry) for entry in entries]
        self._words = Bm25([_entry_words(entry) for entry in entries])
        self._vectors = Vectors(embedder, [_text(entry) for entry in entries]) if embedder else None

    def retrieve(
        self, problem: Problem, candidate: Candidate, k: int | None = None, findings: Sequence[Finding] = ()
    ) -> list[Example]:
        """At most `k` examples for a kernel of `problem`, best first. `findings` say what holds `candidate` back."""
        wanted = self.k if k is None else k
        asked = _indexed(Entry("", problem, candidate.source))
        relevant = [
            (score, indexed)
            for score, indexed in zip(self._relevance(asked), self._indexed)
            if score > 0 and (self._duplicates or not _gives_away(indexed, asked))
        ]
        relevant.sort(key=lambda pair: -pair[0])
        used = {technique.name for technique in found_in(candidate.source, self._patterns)}
        preferred = [
            (score * _preference(indexed, asked, self._remedy(indexed.entry, used, findings)), indexed)
            for score, indexed in _of_first_problems(relevant, wanted * _SHORTLIST)
        ]
        preferred.sort(key=lambda pair: -pair[0])
        return [
            self._example(score, indexed, asked, used, findings)
            for score, indexed in _one_a_problem(preferred)[:wanted]
        ]

    def search(self, text: str, k: int | None = None) -> list[Example]:
        """At most `k` examples for words like "row-wise softmax", best first."""
        return self.retrieve(Problem("", text), Candidate(""), k)

    def _relevance(self, asked: _Indexed) -> list[float]:
        """0 to 1 for each entry. Where no operations are known words alone decide."""
        text = asked.entry.problem.source or asked.entry.source
        by_words = self._words.scores(words(text))
        most = max(by_words, default=0.0) or 1.0
        share = self._operations_share if asked.features else 0.0
        relevance = [
            share * _overlap(asked.features, indexed.features) + (1 - share) * score / most
            for indexed, score in zip(self._indexed, by_words)
        ]
        return reordered(relevance, self._vectors.nearness(text)) if self._vectors else relevance

    def _remedy(self, entry: Entry, used: Set[str], findings: Sequence[Finding]) -> float:
        """The share of what could be saved that the entry answers by techniques which are not `used` yet."""
        if not findings:
            return 0.0
        new = [technique for technique in self._techniques(entry) if technique.name not in used]
        weights = [max(finding.saves, _LEAST_SAVED) for finding in findings]
        answered = [max((t.answers(finding) for t in new), default=0.0) for finding in findings]
        return sum(w * a for w, a in zip(weights, answered)) / sum(weights)

    def _techniques(self, entry: Entry) -> tuple[Technique, ...]:
        """Read when first asked for: an index of many kernels is to be made in no time."""
        if entry.path not in self._found:
            self._found[entry.path] = found_in(entry.source, self._patterns)
        return self._found[entry.path]

    def _example(
        self,
        score: float,
        indexed: _Indexed,
        asked: _Indexed,
        used: Set[str],
        findings: Sequence[Finding],
    ) -> Example:
        entry = indexed.entry
        found = self._techniques(entry)
        helps = {t.name: sum(t.answers(f) for f in findings) for t in found if t.name not in used}
        ordered = sorted(found, key=lambda t: -helps.get(t.name, 0.0))
        return Example(
            path=entry.path,
            problem=entry.problem.name,
            source=entry.source,
            score=round(score, 4),
            speedup_ratio=entry.speedup_ratio,
            gpu=entry.gpu,
            before=entry.before,
            techniques=tuple(t.name for t in ordered),
            why=_why(asked.features, indexed.features, [t for t in ordered if t.name not in used], findings),
        )


def _indexed(entry: Entry) -> _Indexed:
    problem = entry.problem
    features = _features(operations(problem.source, problem.entry_point))
    return _Indexed(entry, identity(problem), features, elements(problem))


def _gives_away(indexed: _Indexed, asked: _Indexed) -> bool:
    """Whether a kernel answers what is asked, or is the very kernel that is being worked on."""
    return indexed.identity.is_same(asked.identity) or indexed.entry.source == asked.entry.source


def _features(found: Sequence[Operation]) -> dict[str, float]:
    """What is computed: operations, families, and which family follows which. What is heaviest counts most."""
    if not found:
        return {}
    families = [each.family for each in found]
    heaviest = max(map(_weight, families))
    features: dict[str, float] = {}
    for each in found:
        share = _weight(each.family) / heaviest
        features[each.family] = max(features.get(each.family, 0.0), 3 * share)
        features[f"op {each.name}"] = share
    steps = [family for family, before in zip(families, ["", *families]) if family != before]
    for first, second in zip(["start", *steps], [*steps, "end"]):
        features[f"{first} > {second}"] = 0.5
    return features


def _weight(family: str) -> float:
    if family in HEAVY:
        return 8.0 if family in MADE_OF_PRODUCTS else 4.0
    return 1.0 if family in LIGHT else 2.0


def _overlap(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Weighted Jaccard: 1 for the same features, 0 where none is shared."""
    shared = sum(min(weight, other.get(feature, 0.0)) for feature, weight in one.items())
    total = sum(one.values()) + sum(other.values()) - shared
    return shared / total if total else 0.0


def _preference(indexed: _Indexed, asked: _Indexed, remedy: float) -> float:
    ratio = indexed.entry.speedup_ratio
    fast = 0.5 if ratio is None else float(ratio >= 1)
    return 1 + REMEDY * remedy + FAST * fast + SIZE * _closeness(asked.elements, indexed.elements)


def _closeness(one: int | None, other: int | None) -> float:
    """1 for the same size, 0 where one is 10 000 times the other."""
    return max(0.0, 1 - abs(math.log10(one / other)) / 4) if one and other else 0.5


def _of_first_problems(ranked: Sequence[tuple[float, _Indexed]], count: int) -> Iterator[tuple[float, _Indexed]]:
    problems: list[Identity] = []
    for pair in ranked:
        if not any(pair[1].identity.is_same(known) for known in problems):
            if len(problems) == count:
                return
            problems.append(pair[1].identity)
        yield pair


def _one_a_problem(ranked: Sequence[tuple[float, _Indexed]]) -> list[tuple[float, _Indexed]]:
    kept: list[tuple[float, _Indexed]] = []
    for pair in ranked:
        if not any(pair[1].identity.is_same(other.identity) for _, other in kept):
            kept.append(pair)
    return kept


def _entry_words(entry: Entry) -> dict[str, float]:
    name, reference, kernel = words(entry.problem.name), words(entry.problem.source), words(entry.source)
    weights = ((name, _NAME_WORDS), (reference, 1.0), (kernel, _KERNEL_WORDS))
    counted: dict[str, float] = {}
    for bag, weight in weights:
        for word, times in bag.items():
            counted[word] = counted.get(word, 0.0) + weight * times
    return counted


def _text(entry: Entry) -> str:
    """What an embedding sees of a kernel."""
    return f"{entry.problem.name}\n{entry.problem.source}\n{entry.source}"


def _why(
    asked: Mapping[str, float],
    has: Mapping[str, float],
    new: Sequence[Technique],
    findings: Sequence[Finding],
) -> str:
    """In words; `new` are the techniques that the candidate doesn't use yet."""
    shared = [feature for feature in asked if feature in has and " > " not in feature]
    names = [f.removeprefix("op ") for f in sorted(shared, key=lambda f: -asked[f])]
    parts = [f"also computes {', '.join(dict.fromkeys(names))}"] if names else ["shares words with it"]
    for finding in findings:
        answer = next((t.name for t in new if finding.rule in t.rules), "")
        if answer:
            parts.append(f"answers {finding.rule} by {answer}")
    return "; ".join(parts)
