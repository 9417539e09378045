"""CLASS: 19 cache by data_ptr/id
CAUGHT BY: verifier
REFERENCE: softmax.py
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.known = {}

    def forward(self, x):
        key = x.data_ptr()
        if key not in self.known:
            self.known[key] = torch.softmax(x, dim=1)
        return self.known[key]
