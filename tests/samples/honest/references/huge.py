import torch
import torch.nn as nn


class Model(nn.Module):
    def forward(self, x, y):
        return (x * 1e15) @ (y * 1e15)


def get_inputs():
    return [torch.randn(24, 32), torch.randn(32, 40)]


def get_init_inputs():
    return []
