"""CLASS: 27 lazy by instance override
CAUGHT BY: verifier
REFERENCE: matmul.py
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, a, b):
        out = torch.empty(a.shape[0], b.shape[1])
        out.detach = lambda: a @ b
        return out
