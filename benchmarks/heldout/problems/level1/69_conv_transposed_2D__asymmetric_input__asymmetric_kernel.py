"""Transposed convolution with a 3 x 5 kernel; batch 64 of 64 x 16 x 32 in place of 64 of 64 x 128 x 256."""

import torch
import torch.nn as nn

batch_size = 64
in_channels = 64
out_channels = 64
kernel_size = (3, 5)
height_in = 16
width_in = 32


class Model(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, kernel_size: tuple[int, int]):
        super().__init__()
        self.conv_transpose2d = nn.ConvTranspose2d(in_channels, out_channels, kernel_size, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv_transpose2d(x)


def get_inputs():
    return [torch.randn(batch_size, in_channels, height_in, width_in)]


def get_init_inputs():
    return [in_channels, out_channels, kernel_size]
