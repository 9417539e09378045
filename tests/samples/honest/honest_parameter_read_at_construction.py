"""WHAT: a scalar parameter is read as a Python number once, as the module is constructed
REFERENCE: scaled_by_a_parameter.py
PRECISION: fp32"""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.randn(()))
        self._factor = float(self.scale)

    def forward(self, x):
        return torch.tanh(x).mul_(self._factor)
