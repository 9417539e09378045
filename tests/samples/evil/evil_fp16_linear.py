"""CLASS: 9 precision downgrade
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
        y = torch.nn.functional.linear(x.half(), self.linear.weight.half(), self.linear.bias.half())
        return torch.relu(y).float()
