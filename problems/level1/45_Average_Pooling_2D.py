"""2D average pooling over windows that don't overlap."""

import torch
from torch import nn

batch_size = 16
channels = 64
height = 256
width = 256
kernel_size = 3


class Model(nn.Module):
    """The stride is the kernel's size; a window that doesn't fit at the border is left out."""

    def __init__(self, kernel_size: int) -> None:
        super().__init__()
        self.avg_pool = nn.AvgPool2d(kernel_size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.avg_pool(x)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(batch_size, channels, height, width)]


def get_init_inputs() -> list[object]:
    return [kernel_size]
