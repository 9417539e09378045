"""A matrix product whose operands are both stored transposed."""

import torch
import torch.nn as nn

M = 1024
N = 2048
K = 4096


class Model(nn.Module):
    """C[M, N] = A[K, M]^T @ B[N, K]^T"""

    def __init__(self):
        super().__init__()

    def forward(self, A: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
        return A.T @ B.T


def get_inputs():
    return [torch.randn(K, M), torch.randn(N, K)]


def get_init_inputs():
    return []
