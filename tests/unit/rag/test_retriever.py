"""Which kernels are shown, and which never are."""

import dataclasses
from pathlib import Path

import pytest
from references import entry, kernel, reference

from benchmarks.retrieval import answered, shares, truth
from tilewright.protocols import Retriever
from tilewright.rag.corpus import read_corpus
from tilewright.rag.retriever import MultiturnOptimizationRAG
from tilewright.records import Before, Candidate, Finding, Problem

NOTHING = Candidate("")
ROWS = kernel("T.copy(X[row, 0], a)\nT.reduce_sum(a, b)")
PRODUCT = kernel("T.gemm(a, b, c)", "T.serial(N)")
STAGED = kernel("T.gemm(a, b, c)", "T.Pipelined(N, num_stages=3)")
PAIR = "torch.randn(rows, dim), torch.randn(dim, rows)"
CORPUS = [
    entry(23, "23_Softmax", reference("torch.softmax(x, dim=1)"), ROWS, 0.5),
    entry(24, "24_LogSoftmax", reference("torch.log_softmax(x, dim=1)"), ROWS + "# log", 1.1),
    entry(19, "19_ReLU", reference("torch.relu(x)"), kernel("T.copy(X[row, 0], a)"), 2.0),
    entry(16, "16_Transposed_A", reference("x.T @ y", PAIR), PRODUCT, 1.0),
    entry(17, "17_Transposed_B", reference("x @ y.T", PAIR), STAGED, 1.0),
]
RAG = MultiturnOptimizationRAG(CORPUS)


def asked(expression: str, number: int | None = None, inputs: str = "torch.randn(rows, dim)") -> Problem:
    return Problem("asked", reference(expression, inputs), 1 if number else None, number)


def shown(problem: Problem, rag: MultiturnOptimizationRAG = RAG, **more: object) -> list[str]:
    return [example.path for example in rag.retrieve(problem, NOTHING, **more)]  # type: ignore[arg-type]


def test_it_is_a_retriever() -> None:
    assert isinstance(RAG, Retriever)


def test_kernels_of_the_same_family_come_first_also_when_another_is_faster() -> None:
    assert shown(asked("torch.softmax(x - 1, dim=1)"))[0] in ("1_23.py", "1_24.py")


def test_the_problem_itself_and_its_near_duplicates_are_never_shown_unless_asked_for() -> None:
    by_number = asked("torch.softmax(x, dim=0)", number=23)
    by_program = asked("F.softmax(x, dim=1)")
    for problem in (by_number, by_program):
        assert "1_23.py" not in shown(problem, k=9)
        assert "1_23.py" in shown(problem, MultiturnOptimizationRAG(CORPUS, duplicates=True), k=9)


def test_offspring_and_other_sizes_of_the_problem_are_never_shown() -> None:
    family = [
        dataclasses.replace(CORPUS[0], path=f"1_23{more}.py", source=f"{ROWS}# {more}")
        for more in ("_large", "_2", "_optimized_1.300x")
    ]
    assert shown(asked("torch.softmax(x, dim=1)", 23), MultiturnOptimizationRAG([*family, CORPUS[1]])) == ["1_24.py"]


def test_the_kernel_that_is_being_worked_on_is_never_shown() -> None:
    found = RAG.retrieve(Problem("mine", ""), Candidate(ROWS + "# log"), 9)
    assert "1_24.py" not in [example.path for example in found]


def test_of_several_kernels_for_a_problem_the_one_that_was_measured_fast_is_shown() -> None:
    fast = dataclasses.replace(CORPUS[0], path="1_23_2.py", speedup_ratio=1.4, before=Before(ROWS, 0.5))
    (first,) = MultiturnOptimizationRAG([CORPUS[0], fast]).retrieve(asked("torch.log_softmax(x, dim=1)"), NOTHING)
    assert (first.path, first.speedup_ratio, first.before) == ("1_23_2.py", 1.4, Before(ROWS, 0.5))
    assert first.source == ROWS


def test_what_holds_a_kernel_back_decides_between_kernels_that_are_as_relevant() -> None:
    product = asked("x @ y", inputs=PAIR)
    plain = [e.path for e in RAG.retrieve(product, Candidate(PRODUCT + "#"), 2)]
    assert plain == ["1_16.py", "1_17.py"]
    slow = Finding("no-pipelining", "parallelism", "high", "", "", saves=0.4)
    first, _ = RAG.retrieve(product, Candidate(PRODUCT + "#"), 2, [slow])
    assert first.path == "1_17.py" and first.techniques[0] == "pipelined loads"
    assert "answers no-pipelining by pipelined loads" in first.why


def test_a_technique_that_the_candidate_uses_already_is_no_answer() -> None:
    slow = Finding("no-pipelining", "parallelism", "high", "", "", saves=0.4)
    found = RAG.retrieve(asked("x @ y", inputs=PAIR), Candidate(STAGED + "#"), 2, [slow])
    assert all("answers" not in example.why for example in found)


def test_the_category_of_a_finding_never_brings_in_what_computes_something_else() -> None:
    slow = Finding("no-pipelining", "parallelism", "critical", "", "", saves=0.9)
    assert set(shown(asked("torch.softmax(x * 3, dim=1)"), k=2, findings=[slow])) == {"1_23.py", "1_24.py"}


def test_kernels_of_like_size_come_first_among_equals() -> None:
    small, large = (
        entry(n, f"{n}_Tanh", reference(f"torch.{name}(x)", rows=rows), kernel(f"T.clear(a{n})"))
        for n, name, rows in ((1, "tanh", 16), (2, "sigmoid", 1 << 20))
    )
    rag = MultiturnOptimizationRAG([small, large])
    for rows, path in ((16, "1_1.py"), (1 << 20, "1_2.py")):
        assert shown(Problem("gelu", reference("torch.relu(x)", rows=rows)), rag)[0] == path


def test_words_find_kernels_and_words_that_none_has_find_none() -> None:
    assert {example.path for example in RAG.search("row-wise softmax", 2)} == {"1_23.py", "1_24.py"}
    assert RAG.search("zzz") == []


def test_an_empty_corpus_has_nothing_to_show() -> None:
    assert MultiturnOptimizationRAG([]).retrieve(asked("torch.relu(x)"), NOTHING) == []


def test_a_corpus_without_references_is_searched_by_its_words(tmp_path: Path) -> None:
    (tmp_path / "scan.py").write_text(kernel("T.cumsum(a)"))
    (tmp_path / "product.py").write_text(kernel("T.gemm(a, b, c)"))
    found = MultiturnOptimizationRAG(read_corpus(tmp_path)).retrieve(asked("torch.cumsum(x, dim=1)"), NOTHING)
    assert Path(found[0].path).stem == "scan"


def test_shipped_kernels_are_found_by_their_operator_family() -> None:
    entries = read_corpus()
    found = shares(answered(MultiturnOptimizationRAG(entries), truth(entries)))
    assert found["queries"] >= 40
    assert found["p_at_1"] >= 0.85 and found["r_at_3"] >= 0.85


@pytest.mark.parametrize("finding", [[], [Finding("launch-bound", "host", "high", "", "")]])
def test_the_same_question_gets_the_same_answer(finding: list[Finding]) -> None:
    problem = asked("torch.softmax(x * 2, dim=1)")
    assert RAG.retrieve(problem, NOTHING, 3, finding) == RAG.retrieve(problem, NOTHING, 3, finding)
