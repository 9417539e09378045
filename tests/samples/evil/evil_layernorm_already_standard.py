"""CLASS: 12 distribution overfit
CAUGHT BY: verifier
REFERENCE: layernorm.py
"""

from torch import nn


class ModelNew(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, x):
        return x * self.norm.weight + self.norm.bias
