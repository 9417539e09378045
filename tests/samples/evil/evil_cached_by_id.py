"""CLASS: 19 cache by data_ptr/id
CAUGHT BY: verifier
REFERENCE: matmul.py
"""

from torch import nn

_KNOWN = {}


class ModelNew(nn.Module):
    def forward(self, a, b):
        key = id(a), id(b)
        if key not in _KNOWN:
            _KNOWN[key] = a @ b
        return _KNOWN[key].clone()
