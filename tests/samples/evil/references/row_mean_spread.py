"""Each row's mean in all places of the row."""

import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x):
        return x.mean(dim=1, keepdim=True).repeat(1, x.shape[1])


def get_inputs():
    return [torch.randn(64, 128)]


def get_init_inputs():
    return []
