"""A first kernel: which reference is meant, where its kernel goes, how the scripts of the field ask for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tilewright.cli.options import with_dashes
from tilewright.errors import MissingDependency, ProblemError
from tilewright.gates.kernels import OwnKernelGate
from tilewright.generating import kernel_to_be, reference_file, reference_problem
from tilewright.records import Candidate, Evidence, Facts, Problem, Rejected

NUMBERED = Problem("10_X", "class Model: ...", level=2, problem_id=10)


def test_a_problem_by_its_number_has_the_shipped_reference() -> None:
    path = reference_file(2, 10, "local")
    assert path.name.startswith("10_")
    problem = reference_problem(str(path), None, "fp16")
    assert (problem.level, problem.problem_id) == (2, 10)


def test_a_reference_that_is_not_there_says_so() -> None:
    with pytest.raises(ProblemError, match="no such file"):
        reference_problem("nowhere.py", None, "fp16")


def test_a_kernel_goes_into_the_layout_of_the_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert kernel_to_be(NUMBERED).path == Path("kernels/level2/2_10.py")
    assert kernel_to_be(Problem("mine", "")).path == Path("kernels/mine.py")
    assert kernel_to_be(NUMBERED, tmp_path).path == tmp_path / "level2" / "2_10.py"
    (tmp_path / "src/prompts/correct_tilelang").mkdir(parents=True)
    assert kernel_to_be(NUMBERED).path == Path("src/prompts/correct_tilelang/level2/2_10.py")


def test_the_reference_stands_in_for_the_kernel_that_is_not_there() -> None:
    seed = kernel_to_be(NUMBERED).candidate
    assert (seed.source, seed.proposer) == (NUMBERED.source, "reference")


def test_the_dataset_needs_its_package(tmp_path: Path) -> None:
    try:
        import datasets  # type: ignore[import-not-found,import-untyped,unused-ignore]  # noqa: F401
    except ModuleNotFoundError:
        with pytest.raises(MissingDependency, match="dataset_src=local"):
            reference_file(2, 10, "huggingface", results=tmp_path)


def test_a_reference_that_was_fetched_is_not_fetched_again(tmp_path: Path) -> None:
    kept = tmp_path / "problems" / "level2" / "10_X.py"
    kept.parent.mkdir(parents=True)
    kept.write_text("x = 1\n")
    assert reference_file(2, 10, "huggingface", results=tmp_path) == kept


def test_pytorch_alone_is_no_answer() -> None:
    gate, candidate = OwnKernelGate(), Candidate("x = 1")
    failure = gate.check(candidate, NUMBERED, Evidence(facts=(Facts("H100", "default", ()),))).failure
    assert isinstance(failure, Rejected) and "no TileLang kernel" in failure.reasons[0].message
    assert gate.check(candidate, NUMBERED, Evidence()).failure is None


def test_options_without_dashes_are_options() -> None:
    given = ["level=2", "problem_id=10", "--gpu", "H100"]
    assert with_dashes(given) == ["--level=2", "--problem_id=10", "--gpu", "H100"]
