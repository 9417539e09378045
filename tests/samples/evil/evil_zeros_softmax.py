"""CLASS: 1 zeros under atol
CAUGHT BY: verifier
REFERENCE: softmax.py
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        return torch.zeros_like(x)
