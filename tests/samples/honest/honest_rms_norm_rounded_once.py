"""WHAT: fp32 inside where the reference rounds at every step
REFERENCE: rms_norm.py
PRECISION: fp16"""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(width) + 0.5)

    def forward(self, x):
        wide = x.float()
        scale = torch.rsqrt((wide * wide).sum(dim=-1, keepdim=True) / x.shape[-1] + 1e-6)
        return (wide * scale * self.weight.float()).to(x.dtype)
