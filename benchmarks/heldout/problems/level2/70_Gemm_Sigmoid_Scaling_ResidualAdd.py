"""A linear layer, sigmoid, scaled, plus its own result; 1024^3 in place of 1024 x 8192 x 8192."""

import torch
import torch.nn as nn

batch_size = 1024
input_size = 1024
hidden_size = 1024
scaling_factor = 2.0


class Model(nn.Module):
    def __init__(self, input_size: int, hidden_size: int, scaling_factor: float):
        super().__init__()
        self.gemm = nn.Linear(input_size, hidden_size)
        self.scaling_factor = scaling_factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.gemm(x)
        original_x = x
        x = torch.sigmoid(x)
        x = x * self.scaling_factor
        return x + original_x


def get_inputs():
    return [torch.randn(batch_size, input_size)]


def get_init_inputs():
    return [input_size, hidden_size, scaling_factor]
