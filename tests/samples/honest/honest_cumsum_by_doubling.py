"""WHAT: Hillis and Steele: log2(n) shifted additions
REFERENCE: cumsum.py
PRECISION: fp32"""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, x):
        total, step = x, 1
        while step < x.shape[1]:
            total = torch.cat([total[:, :step], total[:, step:] + total[:, :-step]], dim=1)
            step *= 2
        return total
