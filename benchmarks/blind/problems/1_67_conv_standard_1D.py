"""A 1D convolution without bias."""

import torch
from torch import nn

batch_size = 32
in_channels = 64
out_channels = 128
kernel_size = 3
length = 2048


class Model(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        super().__init__()
        self.conv1d = nn.Conv1d(in_channels, out_channels, kernel_size, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv1d(x)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(batch_size, in_channels, length)]


def get_init_inputs() -> list[object]:
    return [in_channels, out_channels, kernel_size]
