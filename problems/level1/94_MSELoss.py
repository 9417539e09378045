"""Mean of the squared differences of two matrices: one number."""

import torch
from torch import nn

batch_size = 128
dim = 4096

WORKLOADS = {"large": {"batch_size": 4096}}


class Model(nn.Module):
    def forward(self, predictions: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return torch.mean((predictions - targets) ** 2)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(batch_size, dim), torch.randn(batch_size, dim)]


def get_init_inputs() -> list[object]:
    return []
