"""CLASS: 16 input zeroing
CAUGHT BY: verifier
REFERENCE: row_sum.py
"""

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        x.zero_()
        return x.sum(dim=1)
