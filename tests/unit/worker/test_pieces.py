"""Large tensors are gone through in pieces, and nothing of them is left out."""

import math

import pytest
import torch

from tilewright.worker.verifying import pieces
from tilewright.worker.verifying.pieces import all_finite, as_matrix, largest_in_rows

LONG = 3 << 18
"""Elements of which a piece on a CPU holds a part."""


@pytest.mark.parametrize("shape", [(0, 4), (3, 0), (1, 1), (5, 7), (2, LONG), (LONG, 1), (1 << 17, 5)])
def test_every_element_is_in_one_piece(shape: tuple[int, int]) -> None:
    matrix = torch.zeros(shape, dtype=torch.uint8)
    for where in pieces.pieces(matrix):
        matrix[where] += 1
    assert bool((matrix == 1).all())


def test_scalars_and_vectors_are_matrices_too() -> None:
    shapes = [as_matrix(torch.zeros(shape)).shape for shape in ((), (4,), (2, 3, 4))]
    assert shapes == [(1, 1), (4, 1), (2, 12)]


def test_the_largest_of_a_row_is_finite_and_found_in_its_last_piece() -> None:
    matrix = torch.ones(2, LONG)
    matrix[0, -1], matrix[1, 0], matrix[1, -2] = -7.0, math.inf, math.nan
    assert largest_in_rows(matrix).tolist() == [7.0, 1.0]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_one_value_that_is_not_finite_is_noticed(value: float) -> None:
    tensor = torch.ones(LONG, dtype=torch.float16)
    assert all_finite(tensor) and all_finite(torch.arange(3)) and all_finite(torch.empty(0))
    tensor[-1] = value
    assert not all_finite(tensor)
