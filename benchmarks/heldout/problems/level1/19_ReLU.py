"""ReLU of a matrix; 512 rows of 65536 in place of KernelBench's 4096 of 393216."""

import torch
from torch import nn

batch_size = 512
dim = 65536


class Model(nn.Module):
    def __init__(self):
        super().__init__()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x)


def get_inputs():
    return [torch.rand(batch_size, dim) - 0.5]


def get_init_inputs():
    return []
