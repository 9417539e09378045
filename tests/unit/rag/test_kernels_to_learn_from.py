"""What a folder and a run give to learn from."""

from pathlib import Path

import pytest
from references import kernel, reference

from samples import attempt, candidate, measured, run
from tilewright.errors import KernelNotFound
from tilewright.problems import problems_root
from tilewright.rag.corpus import improved_in, read_corpus
from tilewright.records import Before

RESULT = "Evaluation Result: correctness=True runtime_stats={{'speedup_ratio': {}, 'gpu': 'NVIDIA H100'}}"


def written(folder: Path, stem: str, ratio: float | None = None) -> None:
    result = RESULT.format(ratio) if ratio else ""
    (folder / f"{stem}.py").write_text(f'"""Problem Name: 3_Norm\n{result}\n"""\n{kernel("T.clear(c)")}# {stem}\n')


def test_a_kernel_brings_its_reference_and_what_was_measured(tmp_path: Path) -> None:
    (tmp_path / "problems" / "level1").mkdir(parents=True)
    (tmp_path / "problems" / "level1" / "3_Norm.py").write_text(reference("x / x.sum(dim=1, keepdim=True)"))
    (tmp_path / "kernels").mkdir()
    written(tmp_path / "kernels", "1_3", 1.25)
    (only,) = read_corpus(tmp_path / "kernels", tmp_path / "problems")
    assert "keepdim" in only.problem.source and only.problem.problem_id == 3
    assert (only.speedup_ratio, only.gpu) == (1.25, "NVIDIA H100")
    assert "Evaluation Result" not in only.source


def test_an_optimised_kernel_carries_the_one_it_grew_from(tmp_path: Path) -> None:
    written(tmp_path, "9_3", 0.5)
    written(tmp_path, "9_3_optimized_1.300x", 1.3)
    origin, grown = read_corpus(tmp_path)
    assert grown.before == Before(origin.source, 0.5) and grown.speedup_ratio == 1.3
    assert origin.before is None


def test_files_without_tilelang_and_a_reference_that_is_not_there_are_no_error(tmp_path: Path) -> None:
    (tmp_path / "notes.py").write_text("print()\n")
    (tmp_path / "attention.py").write_text(kernel("T.clear(c)"))
    (only,) = read_corpus(tmp_path)
    assert only.problem.source == "" and only.problem.name == "attention"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(KernelNotFound, match="nowhere"):
        read_corpus(tmp_path / "nowhere")


def test_every_shipped_kernel_has_its_reference() -> None:
    assert problems_root().is_dir()
    assert all(entry.problem.source for entry in read_corpus())


def test_a_run_that_measured_a_gain_is_a_pair() -> None:
    gained = run(attempt(0, measured(0.5), 0, "seed"), attempt(1, measured(1.5)), attempt(2, measured(1.2)))
    (pair,) = improved_in([gained])
    assert pair.path == "r1/1" and pair.source == candidate("c1").source
    assert (pair.speedup_ratio, pair.before) == (1.5, Before(candidate("c0").source, 0.5))


def test_a_run_without_a_gain_is_none() -> None:
    assert improved_in([run(attempt(0, measured(0.5), 0, "seed"), attempt(1, measured(0.4)))]) == []
    assert improved_in([run()]) == []
