"""WHAT: the last rows in one way, all others in another
REFERENCE: matmul.py
PRECISION: fp16"""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, a, b):
        upper = torch.nn.functional.linear(a[:50].float(), b.float().t())
        lower = (a[50:].float().unsqueeze(2) * b.float()).sum(dim=1)
        return torch.cat([upper, lower]).to(a.dtype)
