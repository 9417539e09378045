"""What `examples/python` shows runs, on a machine without a GPU."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("name", "said"),
    [("optimize_a_kernel", "the best is #"), ("try_a_change", "wrong values in output 0")],
)
def test_an_example_runs_and_says_what_it_found(name: str, said: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "python" / f"{name}.py")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    assert done.returncode == 0, done.stderr
    assert said in done.stdout


def test_every_example_is_run_here() -> None:
    assert {path.stem for path in (ROOT / "examples" / "python").glob("*.py")} == {
        "optimize_a_kernel",
        "try_a_change",
    }
