"""WHAT: windows by unfold over a border of -inf
REFERENCE: max_pool.py
PRECISION: fp32"""

import torch.nn as nn
import torch.nn.functional as F


class ModelNew(nn.Module):
    def forward(self, x):
        framed = F.pad(x, (1, 1, 1, 1), value=float("-inf"))
        return framed.unfold(2, 3, 2).unfold(3, 3, 2).amax(dim=(-2, -1))
