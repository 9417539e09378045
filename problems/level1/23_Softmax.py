"""Softmax along the rows of a matrix."""

import torch
from torch import nn

batch_size = 16
dim = 16384

WORKLOADS = {"large": {"batch_size": 4096}}


class Model(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.softmax(x, dim=1)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(batch_size, dim)]


def get_init_inputs() -> list[object]:
    return []
