"""An agent reads what lies in its project, and the shipped kernels; sizes have limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from tilewright.errors import KernelNotFound, UsageError
from tilewright.kernelfile import corpus_root
from tilewright.mcp.project import LONGEST_SOURCE, Project, short, source_text

OUTSIDE = "outside of the project folder"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """With a kernel of its own, a folder beside it, and links that lead out of it."""
    root = tmp_path / "project"
    (root / "level1").mkdir(parents=True)
    (root / "level1" / "1_1.py").write_text("class ModelNew: pass\n")
    (tmp_path / "secret.py").write_text("class ModelNew: pass\n")
    (root / "linked.py").symlink_to(tmp_path / "secret.py")
    (root / "beside").symlink_to(tmp_path)
    (root / "problems" / "level1").mkdir(parents=True)
    (root / "problems" / "level1" / "1_P.py").symlink_to(tmp_path / "secret.py")
    return Project(root, Path("results"))


def test_a_kernel_of_the_project_is_found_with_and_without_an_entry_point(project: Project) -> None:
    path = project.root / "level1" / "1_1.py"
    assert project.kernel("level1/1_1.py") == str(path) and project.is_ours(str(path))
    assert project.kernel("level1/1_1.py:build") == f"{path}:build" and project.is_ours(f"{path}:build")
    assert project.kernel(str(path)) == str(path)


def test_a_shipped_kernel_is_found_by_its_name_and_by_its_path(project: Project) -> None:
    shipped = corpus_root() / "level1" / "1_48.py"
    assert project.kernel("1_48") == project.kernel(str(shipped)) == str(shipped.resolve())
    assert not project.is_ours(str(shipped))


@pytest.mark.parametrize(
    "name", ["../secret.py", "/etc/passwd", "linked.py", "beside/secret.py", "level1/../../x.py"]
)
def test_a_kernel_outside_is_refused_whether_it_is_there_or_not(project: Project, name: str) -> None:
    with pytest.raises(UsageError, match=OUTSIDE):
        project.kernel(name)


def test_a_kernel_that_lies_where_the_server_was_started_is_refused(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root.parent)
    with pytest.raises(UsageError, match=OUTSIDE):
        project.kernel("secret.py")


def test_an_unknown_kernel_says_how_to_list_them(project: Project) -> None:
    with pytest.raises(KernelNotFound, match="tilewright list"):
        project.kernel("9_99")


def test_a_reference_must_lie_inside_too(project: Project) -> None:
    assert project.reference("level1/1_1.py:f") == f"{project.root / 'level1' / '1_1.py'}:f"
    with pytest.raises(UsageError, match=OUTSIDE):
        project.reference("beside/secret.py:f")


def test_a_module_that_is_imported_from_beside_a_kernel_must_lie_inside_too(project: Project) -> None:
    kernel = project.root / "main.py"
    kernel.write_text("import torch\nimport tiles\nclass ModelNew: pass\n")
    (project.root / "tiles.py").write_text("N = 1\n")
    assert project.kernel("main.py") == str(kernel)
    with pytest.raises(UsageError, match=OUTSIDE):
        project.check_imports(str(kernel), "import linked\n")
    (project.root / "tiles.py").write_text("from linked import ModelNew\n")
    with pytest.raises(UsageError, match=OUTSIDE):
        project.kernel("main.py")


def test_a_folder_with_a_link_out_of_the_project_is_refused(project: Project) -> None:
    assert project.folder("level1", "folder") == project.root / "level1"
    with pytest.raises(UsageError, match=OUTSIDE):
        project.folder("problems", "problems")
    with pytest.raises(UsageError, match="no such folder"):
        project.folder("nowhere", "folder")


def test_what_is_too_large_is_refused_with_the_limit(project: Project) -> None:
    with pytest.raises(UsageError, match="it may have 4,000"):
        short("query", "x" * 4_001)
    with pytest.raises(UsageError, match="it may have 200,000"):
        source_text("x" * (LONGEST_SOURCE + 1))
    large = project.root / "large.py"
    large.write_text("#" * (LONGEST_SOURCE + 1))
    with pytest.raises(UsageError, match="a kernel may have 200,000"):
        project.kernel("large.py")


def test_a_task_file_is_refused_since_it_names_other_files(project: Project) -> None:
    with pytest.raises(UsageError, match="task file"):
        project.kernel("task.toml")
