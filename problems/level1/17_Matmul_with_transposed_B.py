"""A matrix product whose right operand is stored with the inner dimension last."""

import torch
import torch.nn as nn

M = 1024
N = 2048
K = 4096


class Model(nn.Module):
    """C[M, N] = A[M, K] @ B[N, K]^T"""

    def __init__(self):
        super().__init__()

    def forward(self, A: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
        return A @ B.T


def get_inputs():
    return [torch.randn(M, K), torch.randn(N, K)]


def get_init_inputs():
    return []
