"""A linear layer, ReLU, a division by a constant."""

import torch
import torch.nn as nn

batch_size = 128
in_features = 1024
out_features = 512
divisor = 2.0


class Model(nn.Module):
    """y = max(x W^T + b, 0) / divisor"""

    def __init__(self, in_features: int, out_features: int, divisor: float):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.divisor = divisor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.linear(x)) / self.divisor


def get_inputs():
    return [torch.randn(batch_size, in_features)]


def get_init_inputs():
    return [in_features, out_features, divisor]
