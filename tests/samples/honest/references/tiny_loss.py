import torch
import torch.nn as nn


class Model(nn.Module):
    def forward(self, x, y):
        return (x - y).square() * 1e-9


def get_inputs():
    return [torch.randn(32, 64), torch.randn(32, 64)]


def get_init_inputs():
    return []
