"""AlexNet's first convolution; 128 images of 112 x 112 in place of 256 of 224 x 224."""

import torch
import torch.nn as nn

batch_size = 128
num_classes = 1000


class Model(nn.Module):
    def __init__(self, num_classes: int = 1000):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels=3, out_channels=96, kernel_size=11, stride=4, padding=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv1(x)


def get_inputs():
    return [torch.randn(batch_size, 3, 112, 112)]


def get_init_inputs():
    return [num_classes]
