"""Average pooling of volumes; batch 8, 16 channels of 64^3 in place of 16, 32 and 128 x 128 x 256."""

import torch
import torch.nn as nn

batch_size = 8
channels = 16
depth = 64
height = 64
width = 64
kernel_size = 3
stride = 2
padding = 1


class Model(nn.Module):
    def __init__(self, kernel_size: int, stride: int, padding: int):
        super().__init__()
        self.avg_pool = nn.AvgPool3d(kernel_size, stride=stride, padding=padding)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.avg_pool(x)


def get_inputs():
    return [torch.randn(batch_size, channels, depth, height, width)]


def get_init_inputs():
    return [kernel_size, stride, padding]
