"""CLASS: 50 unpickle in the parent
CAUGHT BY: verifier
REFERENCE: row_sum.py
"""

from torch import nn


class _Bomb:
    def __reduce__(self):
        return print, ("ran where the result was unpickled",)


class ModelNew(nn.Module):
    def forward(self, x):
        return (_Bomb(),)
