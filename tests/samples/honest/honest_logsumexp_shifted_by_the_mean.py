"""WHAT: shifts by the maximum of blocks, then combines the blocks
REFERENCE: logsumexp.py
PRECISION: fp32"""

import torch
import torch.nn as nn
import torch.nn.functional as F


class ModelNew(nn.Module):
    def forward(self, x):
        padded = F.pad(x, (0, -x.shape[1] % 32), value=float("-inf")).unflatten(1, (-1, 32))
        largest = padded.amax(dim=2)
        sums = torch.exp(padded - largest.unsqueeze(2)).sum(dim=2)
        overall = largest.amax(dim=1)
        return overall + torch.log((sums * torch.exp(largest - overall.unsqueeze(1))).sum(dim=1))
