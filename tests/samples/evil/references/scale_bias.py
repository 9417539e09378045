"""Columns scaled and shifted by parameters."""

import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = nn.Parameter(torch.randn(width))
        self.bias = nn.Parameter(torch.randn(width))

    def forward(self, x):
        return x * self.scale + self.bias


def get_inputs():
    return [torch.randn(64, 256)]


def get_init_inputs():
    return [256]
