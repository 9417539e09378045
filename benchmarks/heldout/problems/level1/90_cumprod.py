"""Cumulative product of rows; 4096 x 4096 in place of 32768 x 32768.

The inputs lie around one: a product of KernelBench's standard normals underflows fp16 after some tens of factors.
"""

import torch
import torch.nn as nn

batch_size = 4096
input_shape = (4096,)
dim = 1


class Model(nn.Module):
    def __init__(self, dim: int):
        super().__init__()
        self.dim = dim

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cumprod(x, dim=self.dim)


def get_inputs():
    return [0.9 + 0.2 * torch.rand(batch_size, *input_shape)]


def get_init_inputs():
    return [dim]
