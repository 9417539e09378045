"""HardSigmoid of few, long rows; 16 of them, as in KernelBench's first version."""

import torch
import torch.nn as nn

batch_size = 16
dim = 1048576


class Model(nn.Module):
    def __init__(self):
        super().__init__()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.hardsigmoid(x)


def get_inputs():
    return [torch.randn(batch_size, dim) * 3]


def get_init_inputs():
    return []
