"""WHAT: zeros by construction: computes only what is positive
REFERENCE: rarely_positive.py
PRECISION: fp32"""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, features, width):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(width, features) / features**0.5)

    def forward(self, x):
        product = torch.addmm(x.new_tensor(-2.0), x, self.weight.t())
        out = torch.zeros_like(product)
        above = product > 0
        out[above] = product[above]
        return out
