"""Every element of a matrix times one Python number."""

import torch
from torch import nn

M = 16384
N = 4096
scalar = 3.14


class Model(nn.Module):
    def forward(self, A: torch.Tensor, s: float) -> torch.Tensor:
        return A * s


def get_inputs() -> list[torch.Tensor | float]:
    return [torch.randn(M, N), scalar]


def get_init_inputs() -> list[object]:
    return []
