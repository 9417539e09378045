import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, channels, width, padding):
        super().__init__()
        self.conv = nn.Conv2d(channels, width, 3, padding=padding)

    def forward(self, x):
        return torch.relu(self.conv(x))


def get_inputs():
    return [torch.randn(2, 5, 11, 13)]


def get_init_inputs():
    return {"channels": 5, "width": 8, "padding": 1}
