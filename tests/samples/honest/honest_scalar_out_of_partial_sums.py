"""WHAT: partial sums per row first, returned as element 0 of its own buffer
REFERENCE: total.py
PRECISION: fp16"""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, x):
        buffer = torch.empty(x.shape[0], dtype=torch.float32, device=x.device)
        torch.sum(x.float() ** 2, dim=1, out=buffer)
        return buffer.sum().to(x.dtype)
