"""WHAT: im2col and one product, the output a view of the product
REFERENCE: conv.py
PRECISION: fp32"""

import torch
import torch.nn as nn
import torch.nn.functional as F


class ModelNew(nn.Module):
    def __init__(self, channels, width, padding):
        super().__init__()
        self.conv = nn.Conv2d(channels, width, 3, padding=padding)
        self.padding = padding

    def forward(self, x):
        columns = F.unfold(x, 3, padding=self.padding)
        flat = self.conv.weight.flatten(1) @ columns + self.conv.bias.view(1, -1, 1)
        return torch.relu_(flat).unflatten(2, (x.shape[2] + 2 * self.padding - 2, -1))
