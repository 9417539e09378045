"""PyTorch's own error is the yardstick, and not its luck."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tilewright.records import Precision, Problem, Workload
from tilewright.worker.processes.nursery import Ended
from tilewright.worker.verifying import audit, inputs
from tilewright.worker.verifying.compare import judged
from tilewright.worker.verifying.expected import Expected, Oracle, Output
from tilewright.worker.verifying.inputs import Reference

REFERENCE = """
import torch

class Model(torch.nn.Module):
    def forward(self, x):
        return x.{what}

def get_inputs():
    return [torch.randn(4000)]

def get_init_inputs():
    return []
"""


def test_where_pytorch_hits_a_scalar_by_luck_its_usual_error_counts(tmp_path: Path) -> None:
    steadied = _steadied(_reference("square().sum()", tmp_path), lucky=True)
    assert 0 < steadied.error < 1e-6 * float(steadied.truth)
    one_step_more = torch.tensor(float(steadied.truth) * (1 + 2.5e-7), dtype=torch.float32)
    assert judged(one_step_more, steadied).mismatch is None
    assert judged(steadied.yardstick * (1 + 1e-4), steadied).mismatch is not None


@pytest.mark.parametrize("what", ["amax()", "clamp(max=-10.0)[:3]"])
def test_where_pytorch_is_always_exact_only_a_rounding_step_is_left(what: str, tmp_path: Path) -> None:
    steadied = _steadied(_reference(what, tmp_path), lucky=False)
    assert steadied.by_luck and steadied.error == 0.0
    assert judged(steadied.yardstick * (1 + 5e-7), steadied).mismatch is not None


def test_many_errors_are_judged_by_the_largest_of_them(tmp_path: Path) -> None:
    reference = _reference("exp()", tmp_path)
    expected = Oracle(reference, 1).answer(reference.inputs(2))
    assert not expected.by_luck


def test_an_answer_is_the_same_after_it_was_asked_whether_it_repeats(tmp_path: Path) -> None:
    for precision in ("fp16", "fp32"):
        reference = _reference("sin()", tmp_path, precision)
        given, oracle = reference.inputs(2), Oracle(reference, 1)
        expected = oracle.answer(given)
        truth = expected.outputs[0].truth.clone()
        audit.answers_at_all(oracle, given, expected)
        audit.moved(expected, oracle.answer(reference.inputs(3)), "inputs")
        assert torch.equal(expected.outputs[0].truth, truth) and bool((truth < 0).any())


def test_of_an_answer_that_shall_be_finite_no_more_than_pytorchs_own_is_computed(tmp_path: Path) -> None:
    reference = _reference("mul(6e4)", tmp_path, "fp16")
    oracle, given = Oracle(reference, 1), reference.inputs(2)
    assert not oracle.answer(given).finite
    with pytest.raises(Ended):
        oracle.answer(given, finite=True)
    assert oracle.answer([tensor / 64 for tensor in given], finite=True).finite


def _reference(what: str, scratch: Path, precision: Precision = "fp32") -> Reference:
    problem = Problem("Reduction", REFERENCE.replace("{what}", what), precision=precision)
    return inputs.load(problem, Workload(), "cpu", scratch)


def _steadied(reference: Reference, lucky: bool) -> Output:
    """The output for one draw; `lucky` has PyTorch hit it without any error."""
    oracle = Oracle(reference, 1)
    expected = oracle.answer(reference.inputs(2))
    assert expected.by_luck
    if lucky:
        output = expected.outputs[0]
        output = Output(output.yardstick.double(), output.yardstick, 0.0, None, by_luck=True)
        expected = Expected((output,), expected.changed, expected.finite, expected.notes)
    return oracle.steadied(expected, "drawn", (reference.inputs(seed) for seed in range(3, 11))).outputs[0]
