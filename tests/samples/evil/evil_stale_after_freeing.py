"""CLASS: 14 stale memory
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
        spare = torch.relu(self.linear(x[:1])).expand(x.shape[0], -1).contiguous()
        del spare
        return torch.empty(x.shape[0], self.linear.out_features)
