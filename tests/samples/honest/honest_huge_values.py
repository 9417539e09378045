"""WHAT: outputs of 1e31: scales once after the product
REFERENCE: huge.py
PRECISION: fp32"""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, x, y):
        return torch.mm(x, y) * 1e15 * 1e15
