"""WHAT: nine shifted products in fp32, output in channels-last order
REFERENCE: conv.py
PRECISION: fp16"""

import torch
import torch.nn as nn
import torch.nn.functional as F


class ModelNew(nn.Module):
    def __init__(self, channels, width, padding):
        super().__init__()
        self.conv = nn.Conv2d(channels, width, 3, padding=padding)
        self.padding = padding

    def forward(self, x):
        p = self.padding
        rows = F.pad(x.float(), (p, p, p, p)).permute(0, 2, 3, 1)
        high, wide = x.shape[2] + 2 * p - 2, x.shape[3] + 2 * p - 2
        total = self.conv.bias.float().repeat(x.shape[0], high, wide, 1)
        for i in range(3):
            for j in range(3):
                total += rows[:, i : i + high, j : j + wide] @ self.conv.weight[:, :, i, j].float().t()
        return torch.relu(total).to(x.dtype).permute(0, 3, 1, 2)
