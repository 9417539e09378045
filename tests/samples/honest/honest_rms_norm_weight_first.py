"""WHAT: multiplies by the weight before the scale
REFERENCE: rms_norm.py
PRECISION: fp32"""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(width) + 0.5)

    def forward(self, x):
        squares = torch.einsum("ij,ij->i", x, x) / x.shape[1]
        return (x * self.weight) / torch.sqrt(squares + 1e-6).unsqueeze(1)
