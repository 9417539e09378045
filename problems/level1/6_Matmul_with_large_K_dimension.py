"""A matrix product whose inner dimension is far larger than the outer two."""

import torch
import torch.nn as nn

M = 256
N = 256
K = 131072


class Model(nn.Module):
    """C[M, N] = A[M, K] @ B[K, N]"""

    def __init__(self):
        super().__init__()

    def forward(self, A: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
        return A @ B


def get_inputs():
    return [torch.randn(M, K), torch.randn(K, N)]


def get_init_inputs():
    return []
