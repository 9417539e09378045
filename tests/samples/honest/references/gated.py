import torch
import torch.nn as nn
import torch.nn.functional as F


class Model(nn.Module):
    def __init__(self, features, hidden):
        super().__init__()
        self.gate = nn.Linear(features, hidden, bias=False)
        self.value = nn.Linear(features, hidden, bias=False)

    def forward(self, x):
        return F.silu(self.gate(x)) * self.value(x)


def get_inputs():
    return [torch.randn(32, 64)]


def get_init_inputs():
    return [64, 80]
