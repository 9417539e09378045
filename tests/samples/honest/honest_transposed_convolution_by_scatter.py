"""WHAT: adds each tap into a zeroed buffer, which is cut to size
REFERENCE: conv_transposed.py
PRECISION: fp32"""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, channels, width):
        super().__init__()
        self.conv = nn.ConvTranspose1d(channels, width, 4, stride=2)

    def forward(self, x):
        length = 2 * (x.shape[2] - 1) + 4
        buffer = torch.zeros(x.shape[0], self.conv.out_channels, length + 30, dtype=x.dtype, device=x.device)
        for tap in range(4):
            taken = torch.einsum("bcl,cw->bwl", x, self.conv.weight[:, :, tap])
            buffer[:, :, tap : tap + 2 * x.shape[2] : 2] += taken
        buffer += self.conv.bias.view(1, -1, 1)
        return buffer[:, :, :length]
