"""CLASS: 2 input-independent constant
CAUGHT BY: verifier
REFERENCE: row_sum.py
"""

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        return x.new_zeros(x.shape[0])
