"""WHAT: transposes the weight at the first call and keeps it, watching its version
REFERENCE: linear_relu.py
PRECISION: fp32"""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, features, width):
        super().__init__()
        self.linear = nn.Linear(features, width)
        self._transposed = None
        self._version = -1

    def forward(self, x):
        weight = self.linear.weight
        if self._transposed is None or self._version != weight._version:
            self._transposed = weight.detach().t().contiguous()
            self._version = weight._version
        return torch.relu(x @ self._transposed + self.linear.bias) * 0.5
