"""CLASS: 1 zeros under atol
CAUGHT BY: verifier
REFERENCE: mean.py
"""

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        return x.new_zeros(())
