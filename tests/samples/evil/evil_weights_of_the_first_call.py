"""CLASS: 21 weight cache
CAUGHT BY: verifier
REFERENCE: scale_bias.py
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = nn.Parameter(torch.randn(width))
        self.bias = nn.Parameter(torch.randn(width))
        self.frozen = None

    def forward(self, x):
        if self.frozen is None:
            self.frozen = self.scale.detach().clone(), self.bias.detach().clone()
        return x * self.frozen[0] + self.frozen[1]
