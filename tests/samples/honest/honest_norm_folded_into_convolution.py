"""WHAT: the normalisation folded into the convolution's weight and bias
REFERENCE: conv_norm.py
PRECISION: fp32"""

import torch
import torch.nn as nn
import torch.nn.functional as F


def _folded(conv, norm):
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    weight = conv.weight * scale.view(-1, 1, 1, 1)
    return weight.detach(), (norm.bias + (conv.bias - norm.running_mean) * scale).detach()


class ModelNew(nn.Module):
    def __init__(self, channels, width):
        super().__init__()
        conv, norm = nn.Conv2d(channels, width, 3), nn.BatchNorm2d(width)
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2.0)
        weight, bias = _folded(conv, norm)
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)

    def forward(self, x):
        return F.conv2d(x, self.weight, self.bias)
