"""WHAT: combines halves with logaddexp
REFERENCE: logsumexp.py
PRECISION: fp32"""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, x):
        parts = list(x.unbind(dim=1))
        while len(parts) > 1:
            odd = parts[-1:] if len(parts) % 2 else []
            parts = [torch.logaddexp(a, b) for a, b in zip(parts[0:-1:2], parts[1::2])] + odd
        return parts[0]
