"""A matrix product whose sizes are no multiples of anything."""

import torch
import torch.nn as nn

M = 8205
K = 2949
N = 5921


class Model(nn.Module):
    """C[M, N] = A[M, K] @ B[K, N]"""

    def __init__(self):
        super().__init__()

    def forward(self, A: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
        return torch.matmul(A, B)


def get_inputs():
    return [torch.randn(M, K), torch.randn(K, N)]


def get_init_inputs():
    return []
