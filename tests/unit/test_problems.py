"""References are found and read; what is wrong with them is said."""

import json
from pathlib import Path

import pytest

from tilewright.errors import ProblemError
from tilewright.kernelfile import load_kernel
from tilewright.problems import find_reference, load_problem, parse_inputs, problem_for, read_task, task_workloads

REFERENCE = "class Model: pass\ndef get_inputs(): return []\ndef get_init_inputs(): return []\n"


def test_a_shipped_kernel_finds_its_problem() -> None:
    problem = problem_for(load_kernel("2_10"))
    assert (problem.level, problem.problem_id) == (2, 10)
    assert problem.name == "10_ConvTranspose2d_MaxPool_Hardtanh_Mean_Tanh"


def test_shapes_are_refused_where_the_reference_makes_its_own_inputs() -> None:
    with pytest.raises(ProblemError, match="is a module, whose reference makes its own inputs"):
        problem_for(load_kernel("2_10"), inputs="fp16[8,8]")


def test_a_kernel_at_another_size_brings_its_workload() -> None:
    assert [w.name for w in problem_for(load_kernel("1_38_large")).workloads] == ["large"]


@pytest.mark.parametrize("layout", ["level2", "KernelBench/level2", "KernelBench/KernelBench/level2"])
def test_kernelbench_checkouts_of_both_layouts_are_read(tmp_path: Path, layout: str) -> None:
    folder = tmp_path / layout
    folder.mkdir(parents=True)
    (folder / "10_Other.py").write_text(REFERENCE)
    assert find_reference(2, 10, tmp_path).name == "10_Other.py"


def test_references_that_repeat_their_level_are_found_by_their_number(tmp_path: Path) -> None:
    folder = tmp_path / "level1"
    folder.mkdir()
    for name in ("1_1_Square.py", "1_14_Triangle.py", "15_Lower.py"):
        (folder / name).write_text(REFERENCE)
    assert [find_reference(1, number, tmp_path).name for number in (1, 14, 15)] == [
        "1_1_Square.py",
        "1_14_Triangle.py",
        "15_Lower.py",
    ]
    assert load_problem(folder / "1_14_Triangle.py").problem_id == 14
    with pytest.raises(ProblemError, match=r"no file 4_\*\.py or 1_4_"):
        find_reference(1, 4, tmp_path)


def test_a_missing_reference_says_where_it_looked() -> None:
    with pytest.raises(ProblemError, match=r"No reference for problem 2_999.*--reference FILE"):
        find_reference(2, 999)


def test_a_reference_without_its_functions_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.py"
    path.write_text("class Model: pass\n")
    with pytest.raises(ProblemError, match="no get_inputs, get_init_inputs"):
        load_problem(path)


def test_an_unknown_workload_names_the_known_ones(tmp_path: Path) -> None:
    path = tmp_path / "r.py"
    path.write_text(REFERENCE + 'WORKLOADS = {"large": {"n": 4}}\n')
    assert load_problem(path, workloads=("large",)).workloads[0].overrides == (("n", 4),)
    with pytest.raises(ProblemError, match="no workload 'huge'; known: default, large"):
        load_problem(path, workloads=("huge",))


def test_input_shapes_are_read_and_mistakes_named() -> None:
    specs = parse_inputs("fp16[4096,8] int64[3]")
    assert [(s.dtype, s.shape) for s in specs] == [("fp16", (4096, 8)), ("int64", (3,))]
    with pytest.raises(ProblemError, match=r"'float\[3\]' is no input"):
        parse_inputs("float[3]")


def test_a_task_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "task.toml"
    path.write_text('kernel="k.py:f"\nreference="r.py:f"\n[[workloads]]\nname="a"\nweight=2\ninputs="fp16[4]"\n')
    assert task_workloads(read_task(path), path)[0].weight == 2.0
    path.write_text('kernal="k.py:f"\n')
    with pytest.raises(ProblemError, match="unknown: kernal"):
        read_task(path)


RENAMED_SINCE = {"level1/97": "ScaledDotProductAttention"}
"""Numbers that KernelBench v0.1 gave to another problem."""


def test_shipped_references_have_the_published_names_and_numbers() -> None:
    facts = Path(__file__).parent / "kernelbench_v0_names.json"
    names = json.loads(facts.read_text())
    from tilewright.problems import problems_root

    shipped = sorted(problems_root().glob("level*/*.py"))
    assert len(shipped) >= 20
    for path in shipped:
        number, _, name = path.stem.partition("_")
        place = f"{path.parent.name}/{number}"
        assert name in (names[place], RENAMED_SINCE.get(place))
