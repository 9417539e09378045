"""WHAT: zeros by construction, subtracted in fp32 before the rounding
REFERENCE: rarely_positive.py
PRECISION: fp16"""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, features, width):
        super().__init__()
        self.columns = nn.Parameter((torch.randn(width, features) / features**0.5).t().contiguous())

    def forward(self, x):
        return torch.relu(x.float() @ self.columns.float() - 2.0).to(x.dtype)
