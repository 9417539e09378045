"""CLASS: 10 multiplicative slack
CAUGHT BY: verifier
REFERENCE: row_sum.py
"""

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        return x.sum(dim=1) * 1.0001
