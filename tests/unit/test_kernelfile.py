"""Kernel files are found as people name them, and bad ones get an error that says what to do."""

from pathlib import Path

import pytest

from tilewright.errors import KernelFileError, KernelNotFound
from tilewright.kernelfile import find_kernel, load_kernel, split_entry_point, write_new


@pytest.mark.parametrize("name", ["level2/2_10.py", "2_10", "2_10.py", "level2/2_10"])
def test_a_corpus_kernel_is_found_by_any_of_its_names(name: str) -> None:
    assert find_kernel(name).name == "2_10.py"


def test_a_missing_kernel_says_what_is_near() -> None:
    with pytest.raises(KernelNotFound, match=r"^Could not find kernel file 'level2/2_11.py'.*Near: .*2_1.*list"):
        find_kernel("level2/2_11.py")


def test_a_file_that_is_no_python_says_where(tmp_path: Path) -> None:
    path = tmp_path / "k.py"
    path.write_text("def f(:\n")
    with pytest.raises(KernelFileError, match=r"line 1.*not Python"):
        load_kernel(str(path))


def test_a_file_without_modelnew_names_what_it_found(tmp_path: Path) -> None:
    path = tmp_path / "k.py"
    path.write_text("class Model:\n    pass\n")
    with pytest.raises(KernelFileError, match=r"no class ModelNew \(found: Model\)"):
        load_kernel(str(path))


def test_binary_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "k.py"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(KernelFileError, match="not UTF-8"):
        load_kernel(str(path))


def test_modules_beside_the_kernel_are_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "tiles.py").write_text("SIZE = 64\n")
    (tmp_path / "unused.py").write_text("x = 1\n")
    path = tmp_path / "k.py"
    path.write_text("import tiles\nclass ModelNew:\n    pass\n")
    before = load_kernel(str(path)).candidate
    assert [f.path for f in before.support] == ["tiles.py"]
    (tmp_path / "tiles.py").write_text("SIZE = 128\n")
    assert load_kernel(str(path)).candidate.id != before.id


def test_a_result_in_the_header_does_not_change_the_identity(tmp_path: Path) -> None:
    path = tmp_path / "k.py"
    path.write_text('"""Problem Name: a\n"""\nclass ModelNew:\n    pass\n')
    before = load_kernel(str(path)).candidate.id
    path.write_text('"""Problem Name: a\nEvaluation Result: speedup_ratio=0.5\n"""\nclass ModelNew:\n    pass\n')
    kernel = load_kernel(str(path))
    assert kernel.candidate.id == before and kernel.line_offset == 1


def test_a_function_is_named_after_a_colon() -> None:
    assert split_entry_point("my.py:matmul") == ("my.py", "matmul")
    assert split_entry_point("level2/2_10.py") == ("level2/2_10.py", None)


def test_nothing_is_ever_overwritten(tmp_path: Path) -> None:
    first = write_new(tmp_path, "2_10_optimized_1.234x", "one")
    second = write_new(tmp_path, "2_10_optimized_1.234x", "two")
    assert (first.name, second.name) == ("2_10_optimized_1.234x.py", "2_10_optimized_1.234x_2.py")
    assert first.read_text() == "one" and second.read_text() == "two"
    assert len(list(tmp_path.iterdir())) == 2
