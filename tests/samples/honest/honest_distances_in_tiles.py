"""WHAT: tiles of rows and columns, fp32 inside
REFERENCE: distances.py
PRECISION: fp16"""

import torch
import torch.nn as nn

TILE = 8


class ModelNew(nn.Module):
    def forward(self, x, y):
        out = torch.empty(x.shape[0], y.shape[0], dtype=x.dtype, device=x.device)
        for i in range(0, x.shape[0], TILE):
            for j in range(0, y.shape[0], TILE):
                difference = x[i : i + TILE, None].float() - y[None, j : j + TILE].float()
                out[i : i + TILE, j : j + TILE] = (difference * difference).sum(-1)
        return out
