"""CLASS: 5 stride-0 view
CAUGHT BY: verifier
REFERENCE: row_mean_spread.py
"""

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        return x.mean(dim=1, keepdim=True).expand(-1, x.shape[1])
