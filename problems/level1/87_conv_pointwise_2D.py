"""A pointwise 2D convolution: a matrix product over the channels of every pixel."""

import torch
import torch.nn as nn

batch_size = 16
in_channels = 3
out_channels = 64
width = 256
height = 256


class Model(nn.Module):
    """`out_channels` filters of shape [in_channels, 1, 1]"""

    def __init__(self, in_channels: int, out_channels: int, bias: bool = False):
        super().__init__()
        self.conv1d = nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=1, padding=0, bias=bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv1d(x)


def get_inputs():
    return [torch.randn(batch_size, in_channels, height, width)]


def get_init_inputs():
    return [in_channels, out_channels]
