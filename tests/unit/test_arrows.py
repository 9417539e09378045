"""Imports go one way; heavy packages are imported only where kernels run."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "tilewright"
ROLES = ("proposers", "gates", "evaluators", "analysis", "rag", "report")
RUNS_KERNELS = ("worker", "toolchain", "interpreter")
ASKS_A_MODEL = ("lm/", "proposers/llm", "analysis/llm_rule", "rag/embeddings")
FILES = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def rooms_used(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imports(path) if name.startswith("tilewright.")}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_torch_and_tilelang_are_imported_only_where_kernels_run(path: Path) -> None:
    if room(path) not in RUNS_KERNELS:
        heavy = {name.split(".")[0] for name in imports(path)} & {"torch", "tilelang", "tvm"}
        assert not heavy


@pytest.mark.parametrize("package", ["modal", "ray"])
def test_modal_and_ray_are_known_to_one_file_each_and_loaded_when_they_are_asked_for(package: str) -> None:
    assert not [path for path in FILES if package in {name.split(".")[0] for name in imports(path)}]
    loading = [path for path in FILES if f'import_module("{package}")' in path.read_text(encoding="utf-8")]
    assert loading == [PACKAGE / "evaluators" / f"{package}.py"]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_dspy_is_imported_only_where_a_model_is_asked(path: Path) -> None:
    where = path.relative_to(PACKAGE).with_suffix("").as_posix()
    if not where.startswith(ASKS_A_MODEL):
        assert "dspy" not in {name.split(".")[0] for name in imports(path)}


@pytest.mark.parametrize("path", [p for p in FILES if room(p) in ROLES], ids=lambda p: str(p.relative_to(PACKAGE)))
def test_roles_never_import_each_other_nor_the_search_nor_the_wiring(path: Path) -> None:
    others = (set(ROLES) - {room(path)}) | {"search", "wiring", "targets", "judge", "cli", "store", *RUNS_KERNELS}
    assert not rooms_used(path) & others


@pytest.mark.parametrize("path", [p for p in FILES if room(p) == "search"], ids=lambda p: p.name)
def test_the_search_knows_roles_and_records_alone(path: Path) -> None:
    assert rooms_used(path) <= {"search", "protocols", "records", "errors", "scores"}


NOUNS = [path for path in FILES if room(path) in ("records", "errors", "scores", "protocols", "header")]


@pytest.mark.parametrize("path", NOUNS, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_the_nouns_stand_on_the_standard_library(path: Path) -> None:
    allowed = {"records", "errors", "protocols"}
    assert rooms_used(path) <= allowed
    outside = {n.split(".")[0] for n in imports(path)} - {"tilewright"}
    assert outside <= set(sys.stdlib_module_names)


def test_only_the_wiring_and_those_above_it_import_it() -> None:
    above = {"api", "batching", "cli", "compiling", "judge", "mcp", "recheck", "regressing", "wiring"}
    assert {room(path) for path in FILES if "wiring" in rooms_used(path)} <= above
    assert {room(path) for path in FILES if "targets" in rooms_used(path)} <= above | {"targets"}


def test_importing_the_command_line_loads_nothing_heavy() -> None:
    code = "import sys, tilewright.cli, tilewright.cli.optimize, tilewright.cli.list; print(sorted(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(PACKAGE.parent)},
    ).stdout
    for heavy in ("'torch'", "'tilelang'", "'numpy'", "'dspy'", "'rich'"):
        assert heavy not in loaded
