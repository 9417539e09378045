"""A tall matrix times a wide one: a short inner dimension, a large result."""

import torch
import torch.nn as nn

M = 16384
N = 16


class Model(nn.Module):
    """C[M, M] = A[M, N] @ B[N, M]"""

    def __init__(self):
        super().__init__()

    def forward(self, A: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
        return torch.matmul(A, B)


def get_inputs():
    return [torch.randn(M, N), torch.randn(N, M)]


def get_init_inputs():
    return []
