"""The product of two lower triangular matrices, which is lower triangular too."""

import torch
import torch.nn as nn

M = 4096


class Model(nn.Module):
    """C[M, M] = tril(A[M, M] @ B[M, M])"""

    def __init__(self):
        super().__init__()

    def forward(self, A: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
        return torch.tril(torch.matmul(A, B))


def get_inputs():
    return [torch.tril(torch.randn(M, M)), torch.tril(torch.randn(M, M))]


def get_init_inputs():
    return []
