"""A wide matrix times a column vector: (M, K) x (K, 1)."""

import torch
from torch import nn

M = 256
K = 131072


class Model(nn.Module):
    def forward(self, A: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
        return torch.matmul(A, B)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(M, K), torch.randn(K, 1)]


def get_init_inputs() -> list[object]:
    return []
