"""CLASS: 58 unsynchronised device state across calls
CAUGHT BY: verifier
REFERENCE: row_sum.py
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.total = torch.zeros(64)

    def forward(self, x):
        self.total += x.sum(dim=1)
        return self.total.clone()
