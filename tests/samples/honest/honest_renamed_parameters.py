"""WHAT: parameters under other names, drawn in the same order
REFERENCE: linear_relu.py
PRECISION: fp16"""

import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, features, width):
        super().__init__()
        drawn = nn.Linear(features, width)
        self.w = nn.Parameter(drawn.weight.detach().clone())
        self.b = nn.Parameter(drawn.bias.detach().clone())

    def forward(self, x):
        return nn.functional.linear(x, self.w, self.b).clamp(min=0) * 0.5
