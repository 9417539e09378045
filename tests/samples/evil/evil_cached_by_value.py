"""CLASS: 20 cache by value fingerprint
CAUGHT BY: timing
REFERENCE: matmul.py
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.known = []

    def forward(self, a, b):
        for left, right, answer in self.known:
            if torch.equal(left, a) and torch.equal(right, b):
                return answer.clone()
        answer = a @ b
        self.known = self.known[-7:] + [(a.clone(), b.clone(), answer)]
        return answer.clone()
