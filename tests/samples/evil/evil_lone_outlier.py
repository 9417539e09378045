"""CLASS: 8 lone outlier
CAUGHT BY: verifier
REFERENCE: softmax.py
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        y = torch.softmax(x, dim=1)
        y[17, 300] *= 1.5
        return y
