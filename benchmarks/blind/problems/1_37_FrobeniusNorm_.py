"""A tensor divided by its Frobenius norm."""

import torch
from torch import nn

batch_size = 16
features = 64
dim1 = 128
dim2 = 128


class Model(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x / torch.norm(x, p="fro")


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(batch_size, features, dim1, dim2)]


def get_init_inputs() -> list[object]:
    return []
