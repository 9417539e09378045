"""The offline evaluator gives estimates of what was executed, and never a measurement."""

from __future__ import annotations

import functools

import pytest

from tilewright.analysis.model import estimate
from tilewright.errors import MachineryError
from tilewright.evaluators.offline import OfflineEvaluator
from tilewright.hardware import load_gpu
from tilewright.protocols import Evaluator
from tilewright.records import (
    Candidate,
    Estimate,
    Estimated,
    Evaluation,
    Evidence,
    Execution,
    Facts,
    Job,
    KernelFacts,
    Problem,
    Rejected,
    TensorFacts,
    Verified,
)

PROBLEM = Problem("p", "class Model: pass")
TENSOR = TensorFacts((1024, 1024), "float16", 2 * 1024 * 1024)
FACTS = Facts("H100", "default", (KernelFacts("k", 1, (256,), 128, global_bytes=4e6),), (TENSOR,), (), (TENSOR,))
EXECUTED = Execution(blocks=4, of=256, error_ratio=0.7)


def evaluate(evidence: Evidence) -> Evaluation:
    evaluator = OfflineEvaluator(functools.partial(estimate, gpu=load_gpu("H100")))
    assert isinstance(evaluator, Evaluator) and evaluator.name == "offline"
    future = evaluator.submit(Job(Candidate("x"), PROBLEM, evidence, gpu="H100"))
    evaluator.close()
    return future.result(timeout=1)


def test_a_candidate_that_was_compiled_and_executed_gets_an_estimate() -> None:
    evaluation = evaluate(Evidence(facts=(FACTS,), execution=EXECUTED))
    assert isinstance(evaluation, Estimated)
    assert evaluation.estimate.gpu == "H100" and not evaluation.estimate.calibrated
    assert evaluation.estimate.estimates[0].candidate_ms > 0


def test_a_candidate_that_was_not_executed_is_rejected_with_the_reason() -> None:
    evaluation = evaluate(Evidence(facts=(FACTS,), not_checked=("T.call_extern can't be interpreted",)))
    assert isinstance(evaluation, Rejected) and evaluation.gate == "offline"
    (reason,) = evaluation.reasons
    assert reason.rule == "not-checked" and "T.call_extern" in reason.message and reason.action


def test_an_execution_of_no_block_is_none() -> None:
    execution = Execution(blocks=0, of=16, not_checked=("a block takes 40 s",))
    evaluation = evaluate(Evidence(facts=(FACTS,), execution=execution))
    assert isinstance(evaluation, Rejected) and "a block takes 40 s" in evaluation.reasons[0].message


def test_a_candidate_that_was_executed_but_not_compiled_is_verified_without_a_time() -> None:
    evaluation = evaluate(Evidence(execution=EXECUTED, not_checked=("no nvcc",)))
    assert isinstance(evaluation, Verified) and evaluation.error_ratio == 0.7 and evaluation.cpu_ratio is None
    assert any("no nvcc" in note for note in evaluation.notes)


def test_a_failure_of_the_machinery_is_raised_by_the_future() -> None:
    def broken(evidence: Evidence, problem: Problem) -> Estimate:
        raise MachineryError("no table")

    job = Job(Candidate("x"), PROBLEM, Evidence(facts=(FACTS,), execution=EXECUTED))
    with pytest.raises(MachineryError, match="no table"):
        OfflineEvaluator(broken).submit(job).result(timeout=1)
