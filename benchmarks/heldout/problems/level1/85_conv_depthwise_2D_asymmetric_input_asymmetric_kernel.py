"""Depthwise convolution with a 3 x 7 kernel; images of 64 x 128 in place of 128 x 256."""

import torch
import torch.nn as nn

batch_size = 32
in_channels = 128
kernel_size_h = 3
kernel_size_w = 7
height = 64
width = 128


class Model(nn.Module):
    def __init__(self, in_channels: int, kernel_size_h: int, kernel_size_w: int):
        super().__init__()
        self.conv2d = nn.Conv2d(
            in_channels, in_channels, (kernel_size_h, kernel_size_w), groups=in_channels, bias=False
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv2d(x)


def get_inputs():
    return [torch.randn(batch_size, in_channels, height, width)]


def get_init_inputs():
    return [in_channels, kernel_size_h, kernel_size_w]
