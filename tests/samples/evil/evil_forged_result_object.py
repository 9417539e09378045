"""CLASS: 49 forge the result object
CAUGHT BY: verifier
REFERENCE: mean.py
"""

from torch import nn


class _Result:
    correct = True
    speedup_ratio = 1000.0


class ModelNew(nn.Module):
    def forward(self, x):
        return _Result()
