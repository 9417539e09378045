"""A tall matrix times a wide one: the inner dimension is short, the product is large."""

import torch
from torch import nn

M = 8192
N = 32


class Model(nn.Module):
    def forward(self, A: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
        return torch.matmul(A, B)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(M, N), torch.randn(N, M)]


def get_init_inputs() -> list[object]:
    return []
