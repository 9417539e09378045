"""WHAT: mean first, then the centred squares
REFERENCE: layer_norm.py
PRECISION: fp32"""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, x):
        centred = x - x.mean(dim=-1, keepdim=True)
        variance = centred.square().mean(dim=-1, keepdim=True)
        return torch.addcmul(self.norm.bias, centred * torch.rsqrt(variance + self.norm.eps), self.norm.weight)
