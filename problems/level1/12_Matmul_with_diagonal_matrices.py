"""A diagonal matrix, given by its diagonal, times a matrix."""

import torch
import torch.nn as nn

M = 4096
N = 4096


class Model(nn.Module):
    """C[N, M] = diag(A[N]) @ B[N, M]"""

    def __init__(self):
        super().__init__()

    def forward(self, A: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
        return torch.diag(A) @ B


def get_inputs():
    return [torch.randn(N), torch.randn(N, M)]


def get_init_inputs():
    return []
