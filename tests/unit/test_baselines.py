"""What `--baselines` names becomes kernels to time against."""

from pathlib import Path

import pytest

from samples import PROBLEM, candidate
from tilewright.baselines import baselines_for
from tilewright.errors import ConfigError, KernelFileError, KernelNotFound
from tilewright.records import Baseline, Problem

FUNCTION = Problem("f", "def f(x): return x", form="function", entry_point="f")


def test_names_become_baselines_in_their_order() -> None:
    seed = candidate("seed")
    assert baselines_for(("compile", "seed", "eager"), PROBLEM, seed) == (
        Baseline("compile"),
        Baseline("seed", seed),
        Baseline("eager"),
    )


def test_a_seed_makes_no_sense_outside_a_run() -> None:
    with pytest.raises(ConfigError, match=r"only a run.*file:PATH"):
        baselines_for(("eager", "seed"), PROBLEM, None)


@pytest.mark.parametrize(
    ("problem", "text", "entry"),
    [
        (PROBLEM, "class Model: pass\nclass ModelNew: pass\n", "ModelNew"),
        (PROBLEM, "class Model: pass\n", "Model"),
        (FUNCTION, "def f(x): return x\n", "f"),
    ],
)
def test_a_file_is_another_kernel_for_the_problem(tmp_path: Path, problem: Problem, text: str, entry: str) -> None:
    path = tmp_path / "other.py"
    path.write_text(text)
    (made,) = baselines_for((f"file:{path}",), problem, None)
    assert made.name == "file:other.py" and made.kernel is not None
    assert (made.kernel.entry_point, made.kernel.form) == (entry, problem.form)


def test_a_function_of_another_name_is_named_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "other.py"
    path.write_text("def fast(x): return x\n")
    (made,) = baselines_for((f"file:{path}:fast",), FUNCTION, None)
    assert made.kernel is not None and made.kernel.entry_point == "fast"


def test_a_file_without_any_of_these_says_what_it_needs(tmp_path: Path) -> None:
    path = tmp_path / "other.py"
    path.write_text("x = 1\n")
    with pytest.raises(KernelFileError, match="no ModelNew or Model"):
        baselines_for((f"file:{path}",), PROBLEM, None)
    with pytest.raises(KernelNotFound):
        baselines_for(("file:not_there.py",), PROBLEM, None)


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "k.py").write_text("class ModelNew: pass\n")
    with pytest.raises(ConfigError, match=r"two files are called k\.py"):
        baselines_for((f"file:{tmp_path}/a/k.py", f"file:{tmp_path}/b/k.py"), PROBLEM, None)
