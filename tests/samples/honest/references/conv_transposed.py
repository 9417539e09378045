import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, channels, width):
        super().__init__()
        self.conv = nn.ConvTranspose1d(channels, width, 4, stride=2)

    def forward(self, x):
        return self.conv(x)


def get_inputs():
    return [torch.randn(3, 6, 20)]


def get_init_inputs():
    return [6, 4]
