"""Words of code, and how much they say."""

from tilewright.rag.lexical import Bm25, words


def test_identifiers_count_whole_and_in_parts() -> None:
    assert set(words("row_max = nn.LogSoftmax()")) == {"rowmax", "row", "max", "logsoftmax", "log", "softmax"}


def test_words_of_every_kernel_say_nothing() -> None:
    assert not words("import torch\nclass Model(nn.Module): def forward(self)")


def test_a_rare_word_decides_over_a_common_one() -> None:
    index = Bm25([words("softmax tile tile tile"), words("cumsum tile"), words("relu tile")])
    scores = index.scores(words("tile cumsum"))
    assert max(scores) == scores[1] and scores[0] > 0


def test_nothing_scores_without_a_shared_word_nor_in_an_empty_index() -> None:
    assert Bm25([words("relu")]).scores(words("gelu")) == [0.0]
    assert Bm25([]).scores(words("gelu")) == []
