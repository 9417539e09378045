"""WHAT: changes the same input as the reference
REFERENCE: in_place.py
PRECISION: fp32"""

import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, x, y):
        return y + x.add_(x)
