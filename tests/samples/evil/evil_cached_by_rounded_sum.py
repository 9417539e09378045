"""CLASS: 20 cache by value fingerprint
CAUGHT BY: verifier
REFERENCE: mean.py
"""

from torch import nn

_KNOWN = {}


class ModelNew(nn.Module):
    def forward(self, x):
        key = round(float(x[0].sum()), -1)
        if key not in _KNOWN:
            _KNOWN[key] = x.mean()
        return _KNOWN[key].clone()
