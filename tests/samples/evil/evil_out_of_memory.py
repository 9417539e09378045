"""CLASS: 69 crash, hang, OOM, fork bomb, context corruption
CAUGHT BY: verifier
REFERENCE: row_sum.py
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        return torch.empty(1 << 50).sum() + x.sum(dim=1)
