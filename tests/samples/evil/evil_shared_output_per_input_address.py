"""CLASS: 18 shared static output
CAUGHT BY: verifier
REFERENCE: row_sum.py
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.outputs = {}

    def forward(self, x):
        out = self.outputs.setdefault(x.data_ptr(), torch.empty(x.shape[0]))
        return torch.sum(x, dim=1, out=out)
