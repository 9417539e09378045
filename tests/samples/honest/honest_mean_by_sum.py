"""WHAT: summed in fp32 in another order, divided and rounded once
REFERENCE: mean.py
PRECISION: fp16"""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, x):
        return (x.sum(dim=0, dtype=torch.float32).sum() / x.numel()).to(x.dtype)
