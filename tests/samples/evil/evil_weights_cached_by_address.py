"""CLASS: 21 weight cache
CAUGHT BY: verifier
REFERENCE: linear_relu.py
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        self.known = {}

    def forward(self, x):
        weight = self.linear.weight
        if weight.data_ptr() not in self.known:
            self.known[weight.data_ptr()] = weight.detach().t().contiguous()
        return torch.relu(x @ self.known[weight.data_ptr()] + self.linear.bias)
