"""SELU of a matrix; 512 rows of 32768 in place of KernelBench's 4096 of 393216."""

import torch
import torch.nn as nn

batch_size = 512
dim = 32768


class Model(nn.Module):
    def __init__(self):
        super().__init__()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.selu(x)


def get_inputs():
    return [torch.randn(batch_size, dim)]


def get_init_inputs():
    return []
