"""WHAT: one pass for three sums per row, then a scalar
REFERENCE: cosine.py
PRECISION: fp32"""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, x, y):
        xy, xx, yy = (x * y).sum(1), (x * x).sum(1), (y * y).sum(1)
        return 1.0 - (xy * torch.rsqrt(xx.clamp(min=1e-16) * yy.clamp(min=1e-16))).mean()
