"""CLASS: 17 in-place alias
CAUGHT BY: verifier
REFERENCE: linear_relu.py
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)

    def forward(self, x):
        y = torch.relu(self.linear(x))
        before = x[:, :96].clone()
        x[:, :96] = y
        y = x[:, :96].clone()
        x[:, :96] = before
        return y
