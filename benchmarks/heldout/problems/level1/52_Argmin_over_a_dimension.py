"""Index of the minimum over the middle dimension; 32 x 1024 x 1024 in place of 128 x 4096 x 4095."""

import torch
import torch.nn as nn

batch_size = 32
dim1 = 1024
dim2 = 1024
dim = 1


class Model(nn.Module):
    def __init__(self, dim: int):
        super().__init__()
        self.dim = dim

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.argmin(x, dim=self.dim)


def get_inputs():
    return [torch.randn(batch_size, dim1, dim2)]


def get_init_inputs():
    return [dim]
