"""Are a reference's inputs what their family says?"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import get_args

import pytest
import torch
from toys import PROBLEM

from tilewright.records import Workload
from tilewright.worker.verifying import inputs
from tilewright.worker.verifying.families import Family
from tilewright.worker.verifying.inputs import Reference


@pytest.fixture
def reference(tmp_path: Path) -> Reference:
    return inputs.load(PROBLEM, Workload(), "cpu", tmp_path)


def test_nearly_the_same_inputs_differ_in_one_row(reference: Reference) -> None:
    before = reference.inputs(5)
    nearly = reference.inputs(1000, "nearly", before)[0]
    assert (before[0] != nearly).any(dim=1).sum() == 1


def test_the_same_seeds_give_the_same_inputs_of_each_family(reference: Reference) -> None:
    last = reference.inputs(6)
    for family in get_args(Family):
        one, other = (reference.inputs(7, family, last)[0] for _ in range(2))
        assert torch.equal(one, other)


def test_flags_that_change_what_pytorch_computes_are_pinned_while_a_reference_runs() -> None:
    before = torch.backends.cudnn.benchmark
    with inputs.running(torch.float32):
        assert not torch.backends.cudnn.allow_tf32 and not torch.backends.cuda.matmul.allow_tf32
        torch.backends.cudnn.benchmark = True
        assert inputs.unpinned()
    assert torch.backends.cudnn.benchmark == before


@pytest.mark.parametrize("scale", ["2.0", "float(torch.ones(()))"])
def test_inputs_that_are_no_tensors_are_known_whether_or_not_data_is_needed(scale: str, tmp_path: Path) -> None:
    source = PROBLEM.source + f"\ndef get_inputs():\n    return [torch.randn(4, 4), {scale}]\n"
    problem = dataclasses.replace(PROBLEM, source=source)
    assert inputs.load(problem, Workload(), "cpu", tmp_path).plain_inputs == {1: 2.0 if scale == "2.0" else 1.0}
