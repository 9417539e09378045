"""WHAT: the folded weight is rounded to fp16 once more than the reference's
REFERENCE: conv_norm.py
PRECISION: fp16"""

import torch
import torch.nn as nn
import torch.nn.functional as F


class ModelNew(nn.Module):
    def __init__(self, channels, width):
        super().__init__()
        conv, norm = nn.Conv2d(channels, width, 3), nn.BatchNorm2d(width)
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2.0)
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        self.weight = nn.Parameter((conv.weight * scale.view(-1, 1, 1, 1)).detach())
        self.bias = nn.Parameter((norm.bias + (conv.bias - norm.running_mean) * scale).detach())

    def forward(self, x):
        return F.conv2d(x.float(), self.weight.float(), self.bias.float()).to(x.dtype)
