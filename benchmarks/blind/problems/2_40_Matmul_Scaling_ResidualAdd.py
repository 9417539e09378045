"""A linear layer, a multiplication by a constant, the layer's output added once more."""

import torch
from torch import nn

batch_size = 1024
in_features = 2048
out_features = 2048
scaling_factor = 0.5


class Model(nn.Module):
    def __init__(self, in_features: int, out_features: int, scaling_factor: float) -> None:
        super().__init__()
        self.matmul = nn.Linear(in_features, out_features)
        self.scaling_factor = scaling_factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.matmul(x)
        return x * self.scaling_factor + x


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(batch_size, in_features)]


def get_init_inputs() -> list[object]:
    return [in_features, out_features, scaling_factor]
