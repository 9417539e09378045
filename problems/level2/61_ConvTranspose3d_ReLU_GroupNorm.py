"""Transposed 3D convolution, ReLU, group normalisation."""

import torch
from torch import nn

batch_size = 16
in_channels = 64
out_channels = 128
depth = 8
height = 16
width = 16
kernel_size = 3
groups = 8
bias = False


class Model(nn.Module):
    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, groups: int, bias: bool = False
    ) -> None:
        super().__init__()
        self.conv_transpose = nn.ConvTranspose3d(in_channels, out_channels, kernel_size, bias=bias)
        self.group_norm = nn.GroupNorm(num_groups=groups, num_channels=out_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.group_norm(torch.relu(self.conv_transpose(x)))


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(batch_size, in_channels, depth, height, width)]


def get_init_inputs() -> list[object]:
    return [in_channels, out_channels, kernel_size, groups, bias]
