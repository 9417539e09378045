"""WHAT: GELU through erf by its definition, in chunks of the hidden width
REFERENCE: mlp.py
PRECISION: fp32"""

import math

import torch
import torch.nn as nn

CHUNK = 32


class ModelNew(nn.Module):
    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.up = nn.Linear(features, hidden)
        self.down = nn.Linear(hidden, features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.down.bias.repeat(x.shape[0], 1)
        for first in range(0, self.up.out_features, CHUNK):
            part = slice(first, first + CHUNK)
            h = x @ self.up.weight[part].t() + self.up.bias[part]
            h = 0.5 * h * (1.0 + torch.erf(h / math.sqrt(2.0)))
            out.addmm_(h, self.down.weight[:, part].t())
        return out
