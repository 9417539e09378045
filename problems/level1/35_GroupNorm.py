"""Each group of channels of each image normalised, then a weight and a bias for each channel."""

import torch
from torch import nn

batch_size = 16
features = 64
num_groups = 8
height = 256
width = 256


class Model(nn.Module):
    def __init__(self, num_features: int, num_groups: int) -> None:
        super().__init__()
        self.gn = nn.GroupNorm(num_groups=num_groups, num_channels=num_features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.gn(x)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(batch_size, features, height, width)]


def get_init_inputs() -> list[object]:
    return [features, num_groups]
