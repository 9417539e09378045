"""A 3 x 3 convolution and Mish, twice; batch 256 of 32 x 32, 32 to 64 channels."""

import torch
import torch.nn as nn

batch_size = 256
in_channels = 32
out_channels = 64
height = width = 32
kernel_size = 3


class Model(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, kernel_size: int):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        x = torch.nn.functional.mish(x)
        return torch.nn.functional.mish(x)


def get_inputs():
    return [torch.randn(batch_size, in_channels, height, width)]


def get_init_inputs():
    return [in_channels, out_channels, kernel_size]
