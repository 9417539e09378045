"""How alike are two texts in meaning, by a model of embeddings? An option: it needs a key or a server."""

from __future__ import annotations

import hashlib
import json
import math
import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from tilewright.errors import MissingDependency

Embedder = Callable[[Sequence[str]], Sequence[Sequence[float]]]
"""A vector for each text, all of one length."""

_RRF = 60
"""Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion" (2009)."""
_LONGEST = 24_000
"""Characters of a text that are embedded: OpenAI's models take 8191 tokens, code has about three characters each."""

_BATCH = 32
"""Texts for each request, which OpenAI limits to 300 000 tokens."""


def model_embedder(model: str) -> Embedder:
    """Any model that DSPy reaches, as "openai/text-embedding-3-large". Raises `MissingDependency`."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "true")  # else prices are fetched from the network
    try:
        import dspy
    except ImportError as error:
        raise MissingDependency("--embedding needs dspy.", "pip install 'tilewright[llm]'") from error
    reached = dspy.Embedder(model, batch_size=_BATCH, caching=False)

    def embed(texts: Sequence[str]) -> list[list[float]]:
        try:
            vectors = reached(list(texts))
        except Exception as error:  # the border to the network and to whatever library carries the request
            raise MissingDependency(f"{model} gave no embeddings: {type(error).__name__}: {error}") from error
        return [[float(value) for value in vector] for vector in vectors]

    return embed


def remembering(embed: Embedder, model: str, path: Path) -> Embedder:
    """The same, with all vectors kept in the file `path`: a text is paid for once."""

    def remembered(texts: Sequence[str]) -> list[list[float]]:
        keys = [hashlib.sha256(f"{model}\n{text}".encode()).hexdigest() for text in texts]
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=30)) as db, db:
            db.execute("CREATE TABLE IF NOT EXISTS vector (key TEXT PRIMARY KEY, numbers TEXT NOT NULL)")
            known = {
                key: row[0]
                for key in keys
                if (row := db.execute("SELECT numbers FROM vector WHERE key = ?", (key,)).fetchone())
            }
            new = {key: text for key, text in zip(keys, texts) if key not in known}
            if new:
                for key, vector in zip(new, embed(list(new.values()))):
                    known[key] = json.dumps([float(value) for value in vector])
                    db.execute("INSERT OR REPLACE INTO vector VALUES (?, ?)", (key, known[key]))
        return [json.loads(known[key]) for key in keys]

    return remembered


class Vectors:
    """The texts of a corpus, each embedded."""

    def __init__(self, embed: Embedder, texts: Sequence[str]) -> None:
        self._embed = embed
        self._vectors = [_unit(v) for v in embed([text[:_LONGEST] for text in texts])] if texts else []

    def nearness(self, text: str) -> list[float]:
        """The cosine of the angle to each text of the corpus."""
        asked = _unit(self._embed([text[:_LONGEST]])[0])
        return [sum(a * b for a, b in zip(asked, vector)) for vector in self._vectors]


def reordered(scores: Sequence[float], nearness: Sequence[float]) -> list[float]:
    """The same scores, the highest to what ranks first in both by the sum of its reciprocal ranks."""
    totals = [0.0] * len(scores)
    for ranking in (scores, nearness):
        for rank, number in enumerate(_falling(ranking)):
            totals[number] += 1 / (_RRF + 1 + rank)
    given = dict(zip(_falling(totals), sorted(scores, reverse=True)))
    return [given[number] for number in range(len(scores))]


def _falling(scores: Sequence[float]) -> list[int]:
    return sorted(range(len(scores)), key=lambda number: -scores[number])


def _unit(vector: Sequence[float]) -> list[float]:
    length = math.sqrt(sum(value * value for value in vector)) or 1.0
    return [value / length for value in vector]
