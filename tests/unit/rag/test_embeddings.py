"""Ranking by meaning, with an embedder that is a function."""

from collections.abc import Sequence
from pathlib import Path

from references import entry, kernel, reference

from tilewright.rag.embeddings import remembering, reordered
from tilewright.rag.retriever import MultiturnOptimizationRAG
from tilewright.records import Candidate, Problem


class Counting:
    """Texts about a gelu point one way, all others another."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, texts: Sequence[str]) -> list[list[float]]:
        self.asked += texts
        return [[1.0, 0.0] if "gelu" in text else [0.0, 1.0] for text in texts]


def test_a_text_is_embedded_once_for_each_model(tmp_path: Path) -> None:
    embed = Counting()
    remembered = remembering(embed, "model-a", tmp_path / "new" / "vectors.db")
    assert remembered(["gelu", "relu", "gelu"]) == [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]
    assert remembering(embed, "model-a", tmp_path / "new" / "vectors.db")(["relu"]) == [[0.0, 1.0]]
    assert embed.asked == ["gelu", "relu"]
    remembering(embed, "model-b", tmp_path / "new" / "vectors.db")(["relu"])
    assert embed.asked == ["gelu", "relu", "relu"]


def test_what_is_first_in_both_rankings_gets_the_highest_score() -> None:
    assert reordered([0.9, 0.8, 0.1], [0.2, 0.7, 0.1]) == [0.9, 0.8, 0.1]
    assert reordered([0.9, 0.8, 0.7], [0.0, 0.9, 0.5])[1] == 0.9


def test_meaning_decides_among_kernels_that_read_alike() -> None:
    tanh = entry(1, "1_Tanh", reference("torch.tanh(x)"), kernel("T.clear(a)"))
    gelu = entry(2, "2_Like_gelu", reference("torch.sigmoid(x)"), kernel("T.clear(b)"))
    rag = MultiturnOptimizationRAG([tanh, gelu], embedder=Counting())
    found = rag.retrieve(Problem("gelu", reference("F.gelu(x)")), Candidate(""))
    assert [example.path for example in found] == ["1_2.py", "1_1.py"]
