"""A linear layer, a multiplication by a constant, LeakyReLU."""

import torch
import torch.nn as nn

batch_size = 128
in_features = 1024
out_features = 512
multiplier = 2.0
negative_slope = 0.1


class Model(nn.Module):
    """y = LeakyReLU(multiplier * (x W^T + b))"""

    def __init__(self, in_features: int, out_features: int, multiplier: float, negative_slope: float):
        super().__init__()
        self.gemm = nn.Linear(in_features, out_features)
        self.multiplier = multiplier
        self.leaky_relu = nn.LeakyReLU(negative_slope)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.leaky_relu(self.gemm(x) * self.multiplier)


def get_inputs():
    return [torch.randn(batch_size, in_features)]


def get_init_inputs():
    return [in_features, out_features, multiplier, negative_slope]
