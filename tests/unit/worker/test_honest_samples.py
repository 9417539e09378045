"""No honest candidate is rejected: not by the gate that reads, not by the verifier."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from tilewright import jsonform
from tilewright.channel import WorkerHost
from tilewright.gates.static import StaticGate
from tilewright.records import Candidate, Evaluation, Evidence, Job, Problem, Verified

FOLDER = Path(__file__).resolve().parents[2] / "samples" / "honest"
SAMPLES = sorted(path.stem.removeprefix("honest_") for path in FOLDER.glob("honest_*.py"))
KERNELS = [name for name in SAMPLES if name.startswith("tile_")]
"""Those define TileLang kernels, which a CPU interprets."""
DEADLINE_S = 60.0

Answers = dict[str, "Future[dict[str, Any]]"]


@pytest.fixture(scope="module")
def answers(cpu_host: WorkerHost) -> Answers:
    """Everything is handed to the host at once: it works on several samples at a time."""
    return {name: _submitted(cpu_host, name) for name in SAMPLES}


def test_there_are_enough_samples() -> None:
    assert len(SAMPLES) >= 60
    assert len(KERNELS) >= 8
    assert sum(_said(name, "PRECISION") == "fp16" for name in SAMPLES) >= 15
    references = {path.name for path in (FOLDER / "references").glob("*.py")}
    assert {_said(name, "REFERENCE") for name in SAMPLES} == references


@pytest.mark.parametrize("name", SAMPLES)
def test_an_honest_source_is_not_taken_for_tampering(name: str) -> None:
    verdict = StaticGate().check(_candidate(name), _problem(name), Evidence())
    assert verdict.failure is None


@pytest.mark.parametrize("name", [name for name in SAMPLES if name not in KERNELS])
def test_an_honest_module_is_verified(name: str, answers: Answers) -> None:
    evaluation: Any = jsonform.from_plain(Evaluation, answers[name].result(120)["evaluation"])
    assert isinstance(evaluation, Verified), evaluation


@pytest.mark.parametrize("name", KERNELS)
def test_an_honest_kernel_is_interpreted_and_found_right(name: str, answers: Answers) -> None:
    answer = answers[name].result(120)
    assert answer["failure"] is None
    execution = jsonform.from_plain(Evidence, answer["evidence"]).execution
    assert execution is not None and not execution.not_checked, execution
    assert execution.blocks > 0


def _submitted(host: WorkerHost, name: str) -> Future[dict[str, Any]]:
    candidate, problem = _candidate(name), _problem(name)
    call: Callable[..., Future[dict[str, Any]]] = host.call
    if name in KERNELS:
        plain = {"candidate": jsonform.to_plain(candidate), "problem": jsonform.to_plain(problem)}
        return call("execute", {**plain, "budget_s": DEADLINE_S}, DEADLINE_S)
    job = Job(candidate, problem, effort="quick", deadline_s=DEADLINE_S)
    return call("measure", {"job": jsonform.to_plain(job)}, DEADLINE_S)


def _candidate(name: str) -> Candidate:
    return Candidate(_source(name))


def _problem(name: str) -> Problem:
    reference = FOLDER / "references" / _said(name, "REFERENCE")
    return Problem(reference.stem, reference.read_text(encoding="utf-8"), precision=_said(name, "PRECISION"))  # type: ignore[arg-type]


def _said(name: str, what: str) -> str:
    """That line of the sample's docstring."""
    said = re.search(rf"^{what}: (.+)$", ast.get_docstring(ast.parse(_source(name))) or "", re.M)
    assert said is not None, f"honest_{name}.py says no {what}"
    return said.group(1).strip()


def _source(name: str) -> str:
    return (FOLDER / f"honest_{name}.py").read_text(encoding="utf-8")
