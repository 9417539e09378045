"""CLASS: 55 torch.compile
CAUGHT BY: policy
REFERENCE: linear_relu.py
NEEDS: cuda
"""

import torch
from torch import nn


@torch.compile(mode="max-autotune")
def _fused(x, weight, bias):
    return torch.relu(torch.nn.functional.linear(x, weight, bias))


class ModelNew(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)

    def forward(self, x):
        return _fused(x, self.linear.weight, self.linear.bias)
