"""CLASS: 17 in-place alias
CAUGHT BY: verifier
REFERENCE: softmax.py
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        x.copy_(torch.softmax(x, dim=1))
        return x
