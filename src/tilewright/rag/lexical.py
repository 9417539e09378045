"""How alike are two sources, by the words in them (BM25)?

Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), with the words of a query
counted as often as they occur in it.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

K1 = 1.2
B = 0.75
_STOP = """
    def return self class import from as in for if else elif not and or is none true false with super init forward
    torch nn module model modelnew get inputs list tensor float int str object randn rand the a an of to t tilelang
    language prim func jit kernel kernels size shape dtype float16 float32
"""
STOP = frozenset(_STOP.split())
"""Words of every kernel and reference."""

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PART = re.compile(r"[A-Z]?[a-z]+[0-9]*|[A-Z]+(?![a-z])[0-9]*|[0-9]+[a-z]*")


def words(text: str) -> Counter[str]:
    """Identifiers and their parts in lower case: `row_max`, `row`, `max`; `nn.LogSoftmax` is `logsoftmax` too."""
    counted: Counter[str] = Counter()
    for word, times in Counter(_WORD.findall(text)).items():
        parts = [part.lower() for part in _PART.findall(word)]
        whole = word.replace("_", "").lower()
        for part in {whole, *parts}:
            if len(part) > 1 and part not in STOP:
                counted[part] += times
    return counted


class Bm25:
    """Texts as bags of words, each asked after once."""

    def __init__(self, bags: Sequence[Mapping[str, float]]) -> None:
        count = len(bags)
        lengths = [sum(bag.values()) for bag in bags]
        mean = sum(lengths) / count if count else 1.0
        holders = Counter(word for bag in bags for word in bag)
        self._size = count
        self._idf = {word: math.log(1 + (count - n + 0.5) / (n + 0.5)) for word, n in holders.items()}
        self._weights: dict[str, list[tuple[int, float]]] = {}
        for number, (bag, length) in enumerate(zip(bags, lengths)):
            norm = K1 * (1 - B + B * length / mean) if mean else K1
            for word, times in bag.items():
                weight = self._idf[word] * times * (K1 + 1) / (times + norm)
                self._weights.setdefault(word, []).append((number, weight))

    def scores(self, query: Mapping[str, float]) -> list[float]:
        """One a text, 0 where it shares no word with the query."""
        scores = [0.0] * self._size
        for word, times in query.items():
            for number, weight in self._weights.get(word, ()):
                scores[number] += times * weight
        return scores
