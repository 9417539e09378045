"""A linear layer, swish, scaled; 1024 x 2048 x 1024 in place of 128 x 32768 x 32768."""

import torch
import torch.nn as nn

batch_size = 1024
in_features = 2048
out_features = 1024
scaling_factor = 2.0


class Model(nn.Module):
    def __init__(self, in_features: int, out_features: int, scaling_factor: float):
        super().__init__()
        self.matmul = nn.Linear(in_features, out_features)
        self.scaling_factor = scaling_factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.matmul(x)
        x = x * torch.sigmoid(x)
        return x * self.scaling_factor


def get_inputs():
    return [torch.randn(batch_size, in_features)]


def get_init_inputs():
    return [in_features, out_features, scaling_factor]
