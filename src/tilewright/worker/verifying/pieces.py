"""In which pieces are large tensors gone through, and what of them takes but one such look?"""

from __future__ import annotations

from collections.abc import Iterator

import torch

_ON_DEVICE = 1 << 24
_ON_CPU = 1 << 18
"""Elements: in float64 a piece and what is made of it stay in cache, and in memory that was used before."""


def pieces(matrix: torch.Tensor) -> Iterator[tuple[slice, slice]]:
    """Places that cover it in order: several rows, or a part of one. None of an empty one."""
    most = _ON_CPU if matrix.device.type == "cpu" else _ON_DEVICE
    rows, columns = matrix.shape
    height, width = max(1, most // max(1, columns)), max(1, min(columns, most))
    for top in range(0, rows, height):
        for left in range(0, columns, width):
            yield slice(top, top + height), slice(left, left + width)


def as_matrix(tensor: torch.Tensor) -> torch.Tensor:
    """Its leading indices as rows; a vector is a column, a scalar one element."""
    rows = tensor.shape[0] if tensor.dim() else 1
    return tensor.reshape(rows, tensor.numel() // max(1, rows))


def largest_in_rows(matrix: torch.Tensor) -> torch.Tensor:
    """Of each row the largest finite magnitude in float64, 0 where there is none."""
    largest = torch.zeros(len(matrix), dtype=torch.float64, device=matrix.device)
    for rows, columns in pieces(matrix):
        size = matrix[rows, columns].abs()
        found = size.amax(dim=1)
        if not bool(torch.isfinite(found).all()):
            found = torch.where(torch.isfinite(size), size, 0.0).amax(dim=1)
        largest[rows] = torch.maximum(largest[rows], found.to(torch.float64))
    return largest


def all_finite(tensor: torch.Tensor) -> bool:
    if not tensor.is_floating_point():
        return True
    matrix = as_matrix(tensor)
    # The least and the largest of what holds a NaN are NaN.
    return all(bool(torch.isfinite(torch.stack(torch.aminmax(matrix[where]))).all()) for where in pieces(matrix))
