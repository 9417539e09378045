"""WHAT: four partial products over K, added in fp32 and rounded once
REFERENCE: linear_relu.py
PRECISION: fp16"""

import torch
import torch.nn as nn

PARTS = 4


class ModelNew(nn.Module):
    def __init__(self, features, width):
        super().__init__()
        self.linear = nn.Linear(features, width)

    def forward(self, x):
        weight = self.linear.weight
        step = -(-x.shape[1] // PARTS)
        total = self.linear.bias.float().expand(x.shape[0], -1).clone()
        for first in range(0, x.shape[1], step):
            last = first + step
            total += x[:, first:last].float() @ weight[:, first:last].float().t()
        return (torch.relu(total) * 0.5).to(x.dtype)
