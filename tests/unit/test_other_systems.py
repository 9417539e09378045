"""Everything but running kernels works on macOS and Windows; what those lack is used by the worker alone."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "tilewright"
UNIX_MODULES = {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog"}
UNIX_CALLS = {"fork", "forkpty", "memfd_create", "setsid", "killpg", "prctl", "landlock_create_ruleset"}


@pytest.fixture(params=["win32", "darwin"])
def platform(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def on(platform: str, task: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Where the encoding of a text file is left to the system, that is an error: Windows takes another one."""
    sample = ROOT / "tests" / "samples" / "other_system.py"
    command = [sys.executable, "-X", "warn_default_encoding", "-W", "error::EncodingWarning"]
    return subprocess.run(
        [*command, str(sample), platform, task, str(folder)],
        capture_output=True,
        encoding="utf-8",
        env={"PYTHONPATH": str(ROOT / "src")},
        cwd=folder,
        check=False,
    )


def test_kernels_are_listed(platform: str, tmp_path: Path) -> None:
    done = on(platform, "list --json", tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 40


def test_the_static_part_of_check_lets_an_honest_kernel_pass_and_refuses_another(
    platform: str, tmp_path: Path
) -> None:
    done = on(platform, "check", tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [None, "rejected"]


def test_a_kernel_is_optimised_stored_and_reported_with_a_stand_in_for_the_evaluator(
    platform: str, tmp_path: Path
) -> None:
    done = on(platform, "optimize", tmp_path)
    assert done.returncode == 0, done.stderr
    reason, stored, in_history, saved = json.loads(done.stdout)
    assert reason == "iterations"
    assert stored == in_history > 6
    assert (tmp_path / saved).is_file()


@pytest.mark.parametrize("task", ["doctor", "migrate level2/2_12.py", "--help"])
def test_what_only_reads_works(platform: str, task: str, tmp_path: Path) -> None:
    done = on(platform, task, tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("verb", ["check", "evaluate", "brief", "tune"])
def test_what_runs_kernels_says_that_it_needs_linux(platform: str, verb: str, tmp_path: Path) -> None:
    done = on(platform, f"{verb} level2/2_12.py", tmp_path)
    assert done.returncode == 2, done.stderr
    assert f"need Linux; this is {platform}" in done.stderr


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_worker_uses_what_other_systems_lack(path: Path) -> None:
    if path.relative_to(PACKAGE).parts[0] == "worker":
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not {alias.name for alias in node.names} & UNIX_MODULES
        elif isinstance(node, ast.ImportFrom):
            assert node.module not in UNIX_MODULES
        elif isinstance(node, ast.Attribute):
            assert node.attr not in UNIX_CALLS, f"line {node.lineno}"
