"""CLASS: 12 distribution overfit
CAUGHT BY: verifier
REFERENCE: softmax.py
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        return torch.softmax(x.clamp(-5, 5), dim=1)
