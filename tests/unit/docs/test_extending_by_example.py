"""What the page about extending shows does what it says when it is used as shown."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tilewright.analysis.analyzer import PerformanceAnalyzer
from tilewright.analysis.rules import installed_rules
from tilewright.errors import MachineryError, ModelFailed
from tilewright.proposers.rewrites import REWRITES, Rewrite
from tilewright.protocols import Evaluator, Rule
from tilewright.rag.techniques import found_in, read_techniques, shipped_techniques
from tilewright.records import Candidate, Evidence, Job, Problem

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "extending.md").read_text(encoding="utf-8")
PRINTS = """
import tilelang.language as T

def kernel(n):
    with T.Kernel(n, threads=128) as row:
        T.print(row)
        T.dp4a(a, b, c)
"""
QUIET = PRINTS.replace("        T.print(row)\n", "")
REFERENCE = """
import torch

class Model(torch.nn.Module):
    def forward(self, x):
        return torch.tanh(x)

def get_inputs():
    return [torch.randn(16, 32)]

def get_init_inputs():
    return []
"""


def shown(heading: str, language: str = "python", number: int = 0) -> str:
    """A code block of a section."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```", section, re.S | re.M)[number]


def defined(code: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "shown"}
    exec(compile(code, "extending.md", "exec"), names)
    return names


def test_a_rule_finds_what_it_is_for_and_nothing_else() -> None:
    rule = defined(shown("A rule"))["Prints"]()
    assert isinstance(rule, Rule)
    analyzer = PerformanceAnalyzer(rules=[*installed_rules(), rule])
    problem = Problem("p", REFERENCE)
    found = [analyzer.analyze(Candidate(source), problem, Evidence()) for source in (PRINTS, QUIET)]
    assert [sum(finding.rule == "prints" for finding in findings) for findings in found] == [1, 0]


def test_a_rewrite_answers_the_rule_s_finding_and_leaves_other_kernels_alone() -> None:
    names = defined(shown("A rewrite"))
    rewrite = Rewrite("drop_prints", names["rewrite"], names["ANSWERS"])
    (changed,) = rewrite.apply(PRINTS)
    assert "T.print" not in changed.source and PRINTS.splitlines()[changed.line - 1].strip() == "T.print(row)"
    compile(changed.source, "kernel.py", "exec")
    assert not list(rewrite.apply(QUIET))
    assert rewrite.name not in {one.name for one in REWRITES}, "it is an example, and would be shown twice"


def test_a_technique_is_recognised_beside_the_shipped_ones() -> None:
    table = read_techniques(shown("A technique", "toml"))
    names = [technique.name for technique in found_in(PRINTS, (*shipped_techniques(), *table))]
    assert "integer dot products" in names
    assert not found_in(PRINTS.replace("dp4a", "gemm"), table)


def test_an_evaluator_judges_at_the_other_end_of_a_pipe(tmp_path: Path) -> None:
    far_end = tmp_path / "far_end.py"
    far_end.write_text(shown("An evaluator", number=1).replace('"cuda"', '"cpu"'))
    evaluator = defined(shown("An evaluator"))["pipe_evaluator"]("", [[sys.executable, str(far_end)]])
    assert isinstance(evaluator, Evaluator)
    right = REFERENCE.replace("class Model", "class ModelNew")
    problem = Problem("Tanh", REFERENCE)
    try:
        jobs = [Job(Candidate(source), problem, effort="quick") for source in (right, right.replace("tanh", "sin"))]
        outcomes = [evaluator.submit(job) for job in jobs]
        assert [future.result(120).outcome for future in outcomes] == ["verified", "wrong"]
    finally:
        evaluator.close()


def test_what_an_evaluator_can_not_reach_is_the_machinery_s_failure() -> None:
    evaluator = defined(shown("An evaluator"))["pipe_evaluator"]("", [["/nowhere/at/all"]])
    try:
        with pytest.raises(MachineryError, match="/nowhere/at/all: No such file"):
            evaluator.submit(Job(Candidate("x"), Problem("p", REFERENCE))).result(30)
    finally:
        evaluator.close()


def test_a_model_that_is_a_program_answers_and_may_fail() -> None:
    dspy = pytest.importorskip("dspy", reason="needs: pip install 'tilewright[llm]'")
    from tilewright.lm import Model

    class Name(dspy.Signature):  # type: ignore[misc]
        """Name it."""

        kernel: str = dspy.InputField()
        name: str = dspy.OutputField()

    by_command = defined(shown("A model"))["by_command"]
    answering = "import sys; assert 'softmax' in sys.stdin.read(); print('[[ ## name ## ]]\\nrow softmax')"
    model = Model([by_command([sys.executable, "-c", answering])])
    assert model.ask(Name, {"kernel": "softmax"}, purpose="name").text("name") == "row softmax"
    with pytest.raises(ModelFailed, match="ended with 1"):
        Model([by_command([sys.executable, "-c", answering])]).ask(Name, {"kernel": "other"}, purpose="name")
