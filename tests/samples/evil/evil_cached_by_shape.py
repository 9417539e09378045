"""CLASS: 19 cache by data_ptr/id
CAUGHT BY: verifier
REFERENCE: layernorm.py
"""

from torch import nn

_KNOWN = {}


class ModelNew(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, x):
        if x.shape not in _KNOWN:
            _KNOWN[x.shape] = self.norm(x)
        return _KNOWN[x.shape].clone()
