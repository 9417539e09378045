"""A linear layer, the minimum with a constant, less the constant; 128 x 2048 x 2048 in place of 16384-wide."""

import torch
import torch.nn as nn

batch_size = 128
in_features = 2048
out_features = 2048
constant = 2.0


class Model(nn.Module):
    def __init__(self, in_features: int, out_features: int, constant: float):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.constant = nn.Parameter(torch.tensor(constant))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.linear(x)
        x = torch.min(x, self.constant)
        return x - self.constant


def get_inputs():
    return [torch.randn(batch_size, in_features)]


def get_init_inputs():
    return [in_features, out_features, constant]
