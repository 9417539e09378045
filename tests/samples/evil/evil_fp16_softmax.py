"""CLASS: 9 precision downgrade
CAUGHT BY: verifier
REFERENCE: softmax.py
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        return torch.softmax(x.half(), dim=1).float()
