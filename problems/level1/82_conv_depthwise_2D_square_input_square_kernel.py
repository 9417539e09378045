"""A depthwise 2D convolution: every channel has one square filter of its own."""

import torch
import torch.nn as nn

batch_size = 16
in_channels = 3
kernel_size = 3
height = 256
width = 256
stride = 1
padding = 0


class Model(nn.Module):
    """`in_channels` filters of shape [1, kernel_size, kernel_size]"""

    def __init__(
        self, in_channels: int, kernel_size: int, stride: int = 1, padding: int = 0, bias: bool = False
    ):
        super().__init__()
        self.conv2d = nn.Conv2d(
            in_channels,
            in_channels,
            kernel_size,
            stride=stride,
            padding=padding,
            groups=in_channels,
            bias=bias,
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv2d(x)


def get_inputs():
    return [torch.randn(batch_size, in_channels, height, width)]


def get_init_inputs():
    return [in_channels, kernel_size, stride, padding]
