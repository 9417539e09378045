"""The kernel file that a run leaves, and what it says of itself."""

from dataclasses import replace
from pathlib import Path

from samples import attempt, estimated, measured, run
from tilewright.header import read_header
from tilewright.kernelfile import load_kernel
from tilewright.report.output import save_best
from tilewright.report.terminal import result_line


def kernel_in(folder: Path) -> Path:
    path = folder / "2_10.py"
    path.write_text('"""Problem Name: 10_P"""\nclass ModelNew: pass\n')
    return path


def test_a_measured_kernel_carries_its_ratio_in_name_and_header(tmp_path: Path) -> None:
    kernel = load_kernel(str(kernel_in(tmp_path)))
    finished = run(attempt(0, measured(0.5), 0, "seed"), attempt(1, measured(1.234)))
    path = save_best(finished, kernel, tmp_path)
    assert path is not None and path.name == "2_10_optimized_1.234x.py"
    assert read_header(path.read_text(), path.stem).speedup_ratio == 1.234
    assert load_kernel(str(path)).candidate.id == finished.attempts[1].candidate.id


def test_an_estimated_kernel_never_carries_a_speedup(tmp_path: Path) -> None:
    kernel = load_kernel(str(kernel_in(tmp_path)))
    finished = run(attempt(0, estimated(1.0), 0, "seed"), attempt(1, estimated(0.1)))
    path = save_best(finished, kernel, tmp_path)
    assert path is not None and path.name == "2_10_candidate_est.py"
    text = path.read_text()
    assert "estimated, not measured" in text and "speedup_ratio" not in text
    assert read_header(text, path.stem).speedup_ratio is None
    assert "est. 10.00x" in result_line(finished, None) and "not measured" in result_line(finished, None)


def test_nothing_is_written_when_nothing_is_better(tmp_path: Path) -> None:
    kernel = load_kernel(str(kernel_in(tmp_path)))
    assert save_best(run(attempt(0, measured(0.5), 0, "seed")), kernel, tmp_path) is None


def test_an_offspring_of_an_offspring_keeps_the_first_name(tmp_path: Path) -> None:
    path = kernel_in(tmp_path).rename(tmp_path / "2_10_optimized_1.100x.py")
    finished = run(attempt(0, measured(1.1), 0, "seed"), attempt(1, measured(1.5)))
    saved = save_best(replace(finished, kernel_path=str(path)), load_kernel(str(path)), tmp_path)
    assert saved is not None and saved.name == "2_10_optimized_1.500x.py"
