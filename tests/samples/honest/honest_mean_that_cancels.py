"""WHAT: a scalar near zero out of large terms, added lane by lane
REFERENCE: mean.py
PRECISION: fp32"""

import torch
import torch.nn as nn

LANES = 96


class ModelNew(nn.Module):
    def forward(self, x):
        flat = x.reshape(-1, LANES)
        total = torch.zeros(LANES, dtype=x.dtype, device=x.device)
        for row in flat:
            total += row
        return total.sum() / x.numel()
