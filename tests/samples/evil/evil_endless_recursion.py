"""CLASS: 69 crash, hang, OOM, fork bomb, context corruption
CAUGHT BY: verifier
REFERENCE: mean.py
"""

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        return self(x)
