import torch
import torch.nn as nn


class Model(nn.Module):
    def forward(self, x):
        return x.mul_(2.0).clamp_(min=-1.0)


def get_inputs():
    return [torch.randn(20, 60)]


def get_init_inputs():
    return []
