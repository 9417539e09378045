"""WHAT: halves added to halves
REFERENCE: long_sum.py
PRECISION: fp32"""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, x):
        while x.shape[1] > 1:
            half = x.shape[1] // 2
            folded = x[:, :half] + x[:, half : 2 * half]
            x = torch.cat([folded, x[:, 2 * half :]], dim=1)
        return x[:, 0]
