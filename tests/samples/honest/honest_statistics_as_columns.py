"""WHAT: three outputs that are columns of one buffer
REFERENCE: row_statistics.py
PRECISION: fp32"""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, x):
        buffer = torch.empty(x.shape[0], 3, dtype=x.dtype, device=x.device)
        buffer[:, 0], buffer[:, 1] = x.mean(dim=1), torch.std(x, dim=1).square()
        buffer[:, 2] = x.amax(dim=1)
        return buffer.unbind(dim=1)
