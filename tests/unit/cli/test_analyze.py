"""`tilewright analyze` says what it can, whatever fails."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from test_commands import ROOT, run

REFERENCE = """import torch
class Model(torch.nn.Module):
    def forward(self, x):
        {forward}
        return x + 1
def get_inputs():
    {fails}
    return [torch.randn(64, 128)]
def get_init_inputs():
    return []
"""
KERNEL = """import torch
import tilelang
import tilelang.language as T

@tilelang.jit(out_idx=[-1])
def build(M, N):
    @T.prim_func
    def add_one(X: T.Tensor((M, N), "float16"), Y: T.Tensor((M, N), "float16")):
        with T.Kernel(M, threads=32) as row:
            for j in T.Parallel(N):
                Y[row, j] = {value}
    return add_one

class ModelNew(torch.nn.Module):
    def forward(self, x):
        kernel = build(*x.shape)
        print(x.sum().item())
        return kernel(x)
"""


@pytest.fixture(scope="module")
def analyzed(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    """Without a GPU: a kernel that does not compile, one whose reference has no inputs, one without a fault, and one
    whose reference fails when it runs."""
    folder = tmp_path_factory.mktemp("kernels")
    problems = folder / "problems" / "level1"
    problems.mkdir(parents=True)
    for number, value, fails, forward in (
        (1, "X[row, k]", "pass", "pass"),
        (2, "X[row, j] + 1", "1 / 0", "pass"),
        (3, "X[row, j] + 1", "pass", "pass"),
        (4, "X[row, j] + 1", "pass", 'raise ValueError("no weights")'),
    ):
        (folder / f"1_{number}.py").write_text(KERNEL.format(value=value))
        (problems / f"{number}_P.py").write_text(REFERENCE.format(fails=fails, forward=forward))
    paths = [str(folder / f"1_{number}.py") for number in (1, 2, 3, 4)]
    done = run("analyze", *paths, "--problems", str(folder / "problems"), "--evaluator", "offline", "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_kernel_that_does_not_compile_is_read_from_its_source(analyzed: list[dict]) -> None:
    broken = analyzed[0]
    assert broken["outcome"] == "compile_failed" and broken["limit"] is None
    assert "waits-for-gpu" in {finding["rule"] for finding in broken["findings"]}
    assert any("tiles, traffic" in sentence for sentence in broken["not_known"])


def test_a_reference_that_fails_is_said_to_be_the_reason(analyzed: list[dict]) -> None:
    unscorable = analyzed[1]
    assert unscorable["outcome"] == "unscorable" and "ZeroDivisionError" in unscorable["message"]
    assert "waits-for-gpu" in {finding["rule"] for finding in unscorable["findings"]}


def test_a_kernel_that_compiles_has_a_limit_an_estimate_and_where_its_time_goes(analyzed: list[dict]) -> None:
    good = analyzed[2]
    assert good["outcome"] is None and good["limit"]["measured"] is False and 0 < good["limit"]["achieved"] < 1
    assert "add_one" in {row["what"] for row in good["workloads"][0]["time"]}
    assert good["facts"][0]["kernels"][0]["block_threads"] == 32
    assert any("hardware counters" in sentence for sentence in good["not_known"])


def test_a_reference_that_fails_when_it_runs_costs_only_its_operations(analyzed: list[dict]) -> None:
    unread = analyzed[3]
    assert unread["outcome"] is None and unread["facts"][0]["kernels"] and unread["limit"]["floor_ms"] > 0
    assert "the reference's operations: it raises ValueError: no weights" in unread["not_known"]


def test_without_nvcc_the_lowered_program_is_read(tmp_path: Path) -> None:
    (tmp_path / "1_3.py").write_text(KERNEL.format(value="X[row, j] + 1"))
    (tmp_path / "3_P.py").write_text(REFERENCE.format(fails="pass", forward="pass"))
    done = run(
        "analyze",
        str(tmp_path / "1_3.py"),
        "--reference",
        str(tmp_path / "3_P.py"),
        "--evaluator",
        "offline",
        CUDA_HOME=str(tmp_path),
    )
    assert done.returncode == 0, done.stderr
    shown = " ".join(done.stdout.split())
    assert "registers, spills and occupancy: nvcc is not installed here" in shown
    assert "of the limit" in shown and "1. waits-for-gpu" in shown and "add_one (" in shown
    assert max(map(len, done.stdout.replace(str(tmp_path), "").splitlines())) <= 80


def test_without_tilelang_the_source_is_read() -> None:
    code = """
import importlib.util as util
known = util.find_spec
util.find_spec = lambda name, *more: None if name == "tilelang" else known(name, *more)
from tilewright.cli import main
main(["analyze", "1_1"])
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(Path(ROOT, "src"))},
    )
    assert done.returncode == 0, done.stderr
    assert "everything but what the source says: tilelang is not installed here" in " ".join(done.stdout.split())
