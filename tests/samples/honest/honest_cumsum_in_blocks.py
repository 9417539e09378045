"""WHAT: sums within blocks, then the carries
REFERENCE: cumsum.py
PRECISION: fp32"""

import torch.nn as nn
import torch.nn.functional as F

BLOCK = 64


class ModelNew(nn.Module):
    def forward(self, x):
        blocks = F.pad(x, (0, -x.shape[1] % BLOCK)).unflatten(1, (-1, BLOCK)).cumsum(dim=2)
        carries = F.pad(blocks[:, :-1, -1].cumsum(dim=1), (1, 0))
        return (blocks + carries.unsqueeze(2)).flatten(1)[:, : x.shape[1]]
