"""WHAT: a strided view of a padded buffer that it owns
REFERENCE: transposed.py
PRECISION: fp16"""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, x):
        padded = torch.empty(x.shape[0], x.shape[1] + 12, x.shape[2] + 2, dtype=x.dtype, device=x.device)
        inner = padded[:, 4 : 4 + x.shape[1], 1:-1]
        inner.copy_(x.float() * 1.5 + 0.25)
        return inner.transpose(1, 2)
