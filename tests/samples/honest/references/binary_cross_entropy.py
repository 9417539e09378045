import torch
import torch.nn as nn
import torch.nn.functional as F


class Model(nn.Module):
    def forward(self, probability, target):
        return F.binary_cross_entropy(probability, target)


def get_inputs():
    return [torch.rand(32, 40), torch.randint(0, 2, (32, 40)).float()]


def get_init_inputs():
    return []
