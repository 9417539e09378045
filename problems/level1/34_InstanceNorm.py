"""Each channel of each image normalised over its own pixels, without weight and bias."""

import torch
from torch import nn

batch_size = 16
features = 64
height = 256
width = 256


class Model(nn.Module):
    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.inorm = nn.InstanceNorm2d(num_features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inorm(x)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(batch_size, features, height, width)]


def get_init_inputs() -> list[object]:
    return [features]
