"""WHAT: sum and sum of squares in one pass, in fp32
REFERENCE: layer_norm.py
PRECISION: fp16"""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, x):
        wide = x.float()
        mean = wide.mean(dim=-1, keepdim=True)
        variance = (wide * wide).mean(dim=-1, keepdim=True) - mean * mean
        normal = (wide - mean) * torch.rsqrt(variance.clamp_(min=0) + self.norm.eps)
        return (normal * self.norm.weight.float() + self.norm.bias.float()).to(x.dtype)
