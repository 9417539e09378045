"""`tilewright check` as CI runs it: formats, exit codes, the hook and the workflow that call it."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from xml.etree import ElementTree

import pytest
from test_commands import ROOT, run

from tilewright.cli.check import command

REFERENCE = """import torch
class Model(torch.nn.Module):
    def forward(self, x):
        return x + 1
def get_inputs():
    return [torch.randn(64, 128)]
def get_init_inputs():
    return []
"""
KERNEL = '''"""A kernel."""
import torch
import tilelang
import tilelang.language as T

@tilelang.jit(out_idx=[-1])
def build(M, N):
    @T.prim_func
    def add(X: T.Tensor((M, N), "float16"), Y: T.Tensor((M, N), "float16")):
        with T.Kernel(M, threads=32) as row:
            for j in T.Parallel(N):
                Y[row, j] = X[row, j] + {added}
    return add

class ModelNew(torch.nn.Module):
    def forward(self, x):
        return build(*x.shape)(x)
'''


def test_each_kernel_is_one_json_object_and_a_rejection_is_an_answer(tmp_path: Path) -> None:
    (tmp_path / "reference.py").write_text(REFERENCE)
    for name, added in (("right", 1), ("wrong", 2)):
        (tmp_path / f"{name}.py").write_text(KERNEL.format(added=added))
    right, wrong, reference = (str(tmp_path / f"{name}.py") for name in ("right", "wrong", "reference"))
    done = run("check", right, wrong, "--reference", reference, "--json")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["verdict"] for row in rows] == ["passed", "rejected"]
    documented = (ROOT / "docs" / "json.md").read_text(encoding="utf-8").split("## ")[1]
    assert all(f"`{name}`" in documented for name in rows[0])


@pytest.mark.parametrize("form", ["text", "json", "github", "junit", "sarif"])
def test_a_rejected_kernel_makes_the_exit_code_3_where_that_was_asked_for(tmp_path: Path, form: str) -> None:
    (tmp_path / "reference.py").write_text(REFERENCE)
    kernel = tmp_path / "kernel.py"
    kernel.write_text(
        "import os\nclass ModelNew:\n    def forward(self, x):\n        os.system('true')\n        return x\n"
    )
    done = run(
        *("check", str(kernel), "--reference", str(tmp_path / "reference.py")),
        *("--format", form, "--fail-on", "rejected"),
    )
    assert done.returncode == 3, done.stderr
    assert "forbidden-call" in done.stdout
    if form == "sarif":
        assert json.loads(done.stdout)["runs"][0]["results"][0]["level"] == "error"
    if form == "junit":
        assert ElementTree.fromstring(done.stdout).find("testsuite/testcase/failure") is not None


def test_the_hook_the_workflow_and_the_guide_call_it_with_options_that_it_has() -> None:
    known = {flag for parameter in command.params for flag in parameter.opts}
    for path in (".pre-commit-hooks.yaml", "examples/ci/kernels.yml", "docs/check-in-ci.md"):
        calls = re.findall(r"tilewright check[^\n`>]*", (ROOT / path).read_text(encoding="utf-8"))
        assert calls
        for call in calls:
            assert {word for word in shlex.split(call) if word.startswith("--")} <= known, call
