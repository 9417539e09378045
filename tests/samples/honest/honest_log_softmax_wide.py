"""WHAT: fp32 inside, rounded once
REFERENCE: log_softmax.py
PRECISION: fp16"""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, x):
        wide = x.float()
        return (wide - torch.logsumexp(wide, dim=-1, keepdim=True)).to(x.dtype)
