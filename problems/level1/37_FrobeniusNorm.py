"""A whole tensor divided by the root of the sum of all its squares."""

import torch
from torch import nn

batch_size = 16
features = 64
height = 256
width = 256


class Model(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x / torch.linalg.vector_norm(x)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(batch_size, features, height, width)]


def get_init_inputs() -> list[object]:
    return []
