"""CLASS: 6 NaN as pass
CAUGHT BY: verifier
REFERENCE: layernorm.py
"""

from torch import nn


class ModelNew(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, x):
        y = self.norm(x)
        y[:, -8:] = float("nan")
        return y
