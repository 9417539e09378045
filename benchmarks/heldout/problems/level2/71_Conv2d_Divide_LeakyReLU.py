"""A 3 x 3 convolution, divided by a constant, LeakyReLU; batch 16, 16 to 64 channels, 64 x 64."""

import torch
import torch.nn as nn

batch_size = 16
in_channels = 16
out_channels = 64
height = width = 64
kernel_size = 3
divisor = 2


class Model(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, divisor: float):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size)
        self.divisor = divisor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        x = x / self.divisor
        return torch.nn.functional.leaky_relu(x, negative_slope=0.01)


def get_inputs():
    return [torch.randn(batch_size, in_channels, height, width)]


def get_init_inputs():
    return [in_channels, out_channels, kernel_size, divisor]
