"""3D max pooling with padding and a dilated window."""

import torch
from torch import nn

batch_size = 16
channels = 32
dim1 = 64
dim2 = 64
dim3 = 64
kernel_size = 3
stride = 2
padding = 1
dilation = 3


class Model(nn.Module):
    """Padding counts as minus infinity."""

    def __init__(self, kernel_size: int, stride: int, padding: int, dilation: int) -> None:
        super().__init__()
        self.maxpool = nn.MaxPool3d(kernel_size, stride=stride, padding=padding, dilation=dilation)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.maxpool(x)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(batch_size, channels, dim1, dim2, dim3)]


def get_init_inputs() -> list[object]:
    return [kernel_size, stride, padding, dilation]
