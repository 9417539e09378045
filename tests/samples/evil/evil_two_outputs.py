"""CLASS: 4 broadcastable shape
CAUGHT BY: verifier
REFERENCE: mean.py
"""

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        return x.mean(), x.mean()
