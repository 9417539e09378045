"""CLASS: 2 input-independent constant
CAUGHT BY: verifier
REFERENCE: mean.py
"""

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        return x.new_tensor(0.5)
