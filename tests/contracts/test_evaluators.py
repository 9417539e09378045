"""What every evaluator keeps to. A subclass says how it is made."""

from collections.abc import Iterator

import pytest

from tilewright import jsonform
from tilewright.channel import WorkerHost
from tilewright.errors import MachineryError
from tilewright.evaluators.local import LocalEvaluator, available
from tilewright.protocols import Evaluator
from tilewright.records import EVALUATIONS, Candidate, Evaluation, Job, Measured, Problem, Unscorable, Verified

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
PROBLEM = Problem("Tanh", REFERENCE)
RIGHT = Candidate(REFERENCE.replace("class Model", "class ModelNew"))
BROKEN = {
    "raises": Candidate(RIGHT.source.replace("torch.tanh(x)", "1 / 0")),
    "is no Python": Candidate("class ModelNew(\n"),
    "is empty": Candidate(""),
    "is wrong": Candidate(RIGHT.source.replace("tanh", "sin")),
    "kills itself": Candidate(
        RIGHT.source.replace("return torch", "import os; os.kill(os.getpid(), 9); return torch")
    ),
}


class EvaluatorContract:
    """`evaluator` is a fixture of the subclass."""

    def test_it_has_a_name_and_is_an_evaluator(self, evaluator: Evaluator) -> None:
        assert isinstance(evaluator, Evaluator)
        assert evaluator.name

    def test_a_right_candidate_is_measured_or_verified(self, evaluator: Evaluator) -> None:
        evaluation = evaluator.submit(Job(RIGHT, PROBLEM, effort="quick")).result(120)
        assert isinstance(evaluation, (Measured, Verified))

    @pytest.mark.parametrize("kind", BROKEN)
    def test_what_a_candidate_does_is_an_evaluation(self, evaluator: Evaluator, kind: str) -> None:
        evaluation = evaluator.submit(Job(BROKEN[kind], PROBLEM, effort="quick", deadline_s=20)).result(120)
        assert isinstance(evaluation, EVALUATIONS)
        assert not isinstance(evaluation, (Measured, Verified, Unscorable))

    def test_a_problem_that_cannot_be_scored_is_told_from_a_bad_candidate(self, evaluator: Evaluator) -> None:
        evaluation = evaluator.submit(Job(RIGHT, Problem("Empty", ""), effort="quick")).result(120)
        assert isinstance(evaluation, Unscorable)

    def test_jobs_may_be_submitted_side_by_side(self, evaluator: Evaluator) -> None:
        jobs = [Job(RIGHT, PROBLEM, effort="quick"), Job(BROKEN["is wrong"], PROBLEM, effort="quick")] * 2
        outcomes = [future.result(120).outcome for future in [evaluator.submit(job) for job in jobs]]
        assert outcomes[::2] == [outcomes[0]] * 2 and outcomes[1::2] == ["wrong"] * 2

    def test_an_evaluation_survives_json(self, evaluator: Evaluator) -> None:
        evaluation = evaluator.submit(Job(BROKEN["is wrong"], PROBLEM, effort="quick")).result(120)
        assert jsonform.from_plain(Evaluation, jsonform.to_plain(evaluation)) == evaluation


@pytest.fixture(scope="module")
def local_on_the_cpu() -> Iterator[Evaluator]:
    evaluator = LocalEvaluator(WorkerHost("cpu", jobs=2))
    yield evaluator
    evaluator.close()


@pytest.fixture(scope="module")
def local_on_a_gpu() -> Iterator[Evaluator]:
    present, why = available()
    if not present:
        pytest.skip(why)
    evaluator = LocalEvaluator(WorkerHost("cuda"))
    yield evaluator
    evaluator.close()


class TestLocalEvaluatorOnTheCpu(EvaluatorContract):
    @pytest.fixture
    def evaluator(self, local_on_the_cpu: Evaluator) -> Evaluator:
        return local_on_the_cpu


@pytest.mark.gpu
class TestLocalEvaluatorOnAGpu(EvaluatorContract):
    @pytest.fixture
    def evaluator(self, local_on_a_gpu: Evaluator) -> Evaluator:
        return local_on_a_gpu


def test_a_closed_evaluator_says_so() -> None:
    evaluator = LocalEvaluator(WorkerHost("cpu", jobs=1))
    evaluator.close()
    with pytest.raises(MachineryError):
        evaluator.submit(Job(RIGHT, PROBLEM))
