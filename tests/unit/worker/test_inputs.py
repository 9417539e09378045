"""Are a reference's inputs what their family says?"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from toys import PROBLEM

from tilewright.records import Workload
from tilewright.worker import inputs
from tilewright.worker.inputs import Reference


@pytest.fixture
def reference(tmp_path: Path) -> Reference:
    return inputs.load(PROBLEM, Workload(), "cpu", tmp_path)


def test_nearly_the_same_inputs_differ_in_one_row(reference: Reference) -> None:
    before = reference.inputs(5)[0]
    nearly = reference.inputs(1000, "nearly", last_seed=5)[0]
    assert (before != nearly).any(dim=1).nonzero().flatten().tolist() == [1000 % before.shape[0]]


def test_the_same_seeds_give_the_same_inputs_of_each_family(reference: Reference) -> None:
    for family in ("drawn", "nearly", "scaled", "shifted"):
        one, other = (reference.inputs(7, family, last_seed=6)[0] for _ in range(2))
        assert torch.equal(one, other)
