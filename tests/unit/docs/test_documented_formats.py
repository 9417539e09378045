"""What the pages say of files and settings is so: headers, references, knobs, task files, variables, stop reasons."""

from __future__ import annotations

import re
from pathlib import Path

from tilewright.cli.serve import TOKEN_VARIABLE
from tilewright.config import API_KEY_VARIABLE, GPUS_VARIABLE, RUN_EVALUATORS
from tilewright.header import read_header
from tilewright.problems import load_problem, read_task, task_workloads
from tilewright.source.knobs import find_knobs

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "kernels.md").read_text(encoding="utf-8")


def shown(heading: str, language: str) -> str:
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```", section, re.S | re.M)[0]


def test_a_header() -> None:
    header = read_header(shown("The header", "python"))
    assert header.problem == "10_ConvTranspose2d_MaxPool_Hardtanh_Mean_Tanh"
    assert (header.workload, header.speedup_ratio, header.correct) == ("large", 1.401, True)


def test_sizes_of_a_reference(tmp_path: Path) -> None:
    path = tmp_path / "reference.py"
    rest = "class Model: ...\ndef get_inputs(): ...\ndef get_init_inputs(): ...\n"
    path.write_text(shown("The reference", "python") + rest)
    (workload,) = load_problem(path, workloads=("large",)).workloads
    assert workload.name == "large" and dict(workload.overrides) == {"batch_size": 2048}


def test_a_task_file(tmp_path: Path) -> None:
    path = tmp_path / "task.toml"
    path.write_text(shown("The reference", "toml"))
    workloads = task_workloads(read_task(path), path)
    assert [(workload.name, workload.weight) for workload in workloads] == [("square", 2.0), ("wide", 1.0)]


def test_declared_knobs() -> None:
    source = "block_M = 128\nuse_swizzle = True\n" + shown("Knobs", "python")
    choices = {knob.name: set(knob.choices) for knob in find_knobs(source)}
    assert choices == {"block_M": {64, 128, 256}, "use_swizzle": {True, False}}


def test_evaluators_and_variables() -> None:
    page = (ROOT / "docs" / "machines.md").read_text(encoding="utf-8")
    named = (*RUN_EVALUATORS, GPUS_VARIABLE, API_KEY_VARIABLE, TOKEN_VARIABLE)
    assert [name for name in named if f"`{name}`" not in page] == []


def test_reasons_to_stop() -> None:
    code = "".join((ROOT / "src/tilewright/search" / name).read_text() for name in ("loop.py", "stopping.py"))
    reasons = set(re.findall(r'(?:return|reason =) \(?\s*"([a-z_]+)",\s', code))
    assert {"target", "plateau", "interrupted", "seed_wrong"} <= reasons
    page = (ROOT / "docs" / "search.md").read_text(encoding="utf-8")
    assert {reason for reason in reasons if f"`{reason}`" not in page} == set()
