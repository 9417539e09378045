"""The product of two upper triangular matrices."""

import torch
from torch import nn

N = 2048


class Model(nn.Module):
    def forward(self, A: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
        return torch.triu(torch.matmul(A, B))


def get_inputs() -> list[torch.Tensor]:
    return [torch.triu(torch.randn(N, N)), torch.triu(torch.randn(N, N))]


def get_init_inputs() -> list[object]:
    return []
