"""WHAT: reads only the lower half of a symmetric matrix
REFERENCE: symmetric.py
PRECISION: fp32"""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, a, x):
        lower = torch.tril(a, -1)
        return lower @ x + lower.t() @ x + a.diagonal().unsqueeze(1) * x
