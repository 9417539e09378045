import torch
import torch.nn as nn


class Model(nn.Module):
    def forward(self, index):
        return torch.bincount(index, minlength=32)


def get_inputs():
    return [torch.randint(0, 32, (2000,))]


def get_init_inputs():
    return []
