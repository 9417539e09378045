"""CLASS: 18 shared static output
CAUGHT BY: verifier
REFERENCE: row_sum.py
"""

from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = None
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        fresh = x.sum(dim=1)
        if self.calls % 2:
            self.out = fresh
            return fresh
        return self.out.copy_(fresh)
