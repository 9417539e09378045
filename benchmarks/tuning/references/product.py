"""A product of two square matrices."""

import torch
import torch.nn as nn

SIZE = 4096
WORKLOADS = {"small": {"SIZE": 512}}


class Model(nn.Module):
    def forward(self, a, b):
        return a @ b


def get_inputs():
    return [torch.randn(SIZE, SIZE), torch.randn(SIZE, SIZE)]


def get_init_inputs():
    return []
