"""WHAT: statistics of the batch, two passes over channels moved to the front
REFERENCE: batch_norm_train.py
PRECISION: fp32"""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x):
        rows = x.transpose(0, 1).reshape(x.shape[1], -1)
        variance, mean = torch.var_mean(rows, dim=1, correction=0)
        scale = self.norm.weight * torch.rsqrt(variance + self.norm.eps)
        shift = self.norm.bias - mean * scale
        return x * scale.view(1, -1, 1, 1) + shift.view(1, -1, 1, 1)
