"""Max pooling of sequences with padding and dilation; batch 32 and length 4096 in place of 64 and 65536."""

import torch
import torch.nn as nn

batch_size = 32
features = 192
sequence_length = 4096
kernel_size = 8
stride = 1
padding = 4
dilation = 3


class Model(nn.Module):
    def __init__(self, kernel_size: int, stride: int, padding: int, dilation: int):
        super().__init__()
        self.maxpool = nn.MaxPool1d(kernel_size=kernel_size, stride=stride, padding=padding, dilation=dilation)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.maxpool(x)


def get_inputs():
    return [torch.randn(batch_size, features, sequence_length)]


def get_init_inputs():
    return [kernel_size, stride, padding, dilation]
