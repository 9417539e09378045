"""CLASS: 16 input zeroing
CAUGHT BY: verifier
REFERENCE: row_sum.py
"""

from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.taken = None

    def forward(self, x):
        if self.taken is not None:
            self.taken[0].copy_(self.taken[1])
        self.taken = x, x.clone()
        y = x.sum(dim=1)
        x[0, 0] += 1
        return y
