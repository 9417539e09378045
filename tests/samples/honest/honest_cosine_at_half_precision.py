"""WHAT: three sums rounded to fp16 per row, as PyTorch's own sums are
REFERENCE: cosine.py
PRECISION: fp16"""

import torch
import torch.nn as nn
import torch.nn.functional as F


class ModelNew(nn.Module):
    def forward(self, x, y):
        similar = (F.normalize(x, dim=1) * F.normalize(y, dim=1)).sum(dim=1, dtype=torch.float32)
        return (1.0 - similar.mean()).to(x.dtype)
