"""The documented way to optimise a list of slow kernels, several commands at a time, as a shell runs it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tilewright.store import FILE, Store

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = "run_multiturn_optimization.py"
KERNELS = ("1_25", "1_23")
pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs a shell")


def test_slow_kernels_are_optimised_side_by_side_as_documented(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "machines.md").read_text(encoding="utf-8")
    (recipe,) = re.findall(r"^grep .* \| parallel .*$", page, re.M)
    listed = subprocess.run(
        [sys.executable, SCRIPT, "--list-slow"], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    )
    two = [line for line in listed.stdout.splitlines() if re.search(rf"/({'|'.join(KERNELS)})\.py", line)]
    slow = tmp_path / "slow.txt"
    slow.write_text("\n".join(two), encoding="utf-8")
    options = f"--evaluator offline --max-iterations 1 --candidates 1 --tune-budget 1 --results {tmp_path}"
    command = (
        recipe.replace("results/slow.txt", str(slow))
        .replace(".venv/bin/python", sys.executable)
        .replace("--model none", f"--model none {options}")
    )
    if shutil.which("parallel") is None:
        command = command.replace("| parallel", "| xargs -P 2 -I {}")
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    with closing(Store(tmp_path / FILE)) as store:
        runs = [store.load(name) for name in store.runs()]
    assert sorted(Path(run.kernel_path).stem for run in runs) == sorted(KERNELS)
    assert all(len(run.attempts) > 1 and run.stop_reason for run in runs)
    assert len(done.stdout.splitlines()) == len(runs), "a line a kernel"
