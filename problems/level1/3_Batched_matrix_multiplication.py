"""One matrix product per batch entry: (batch, m, k) x (batch, k, n)."""

import torch
from torch import nn

batch_size = 128
m = 128
k = 256
n = 512


class Model(nn.Module):
    def forward(self, A: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
        return torch.bmm(A, B)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(batch_size, m, k), torch.randn(batch_size, k, n)]


def get_init_inputs() -> list[object]:
    return []
