"""WHAT: runs once on its own data as it is constructed, draws nothing
REFERENCE: scaled_relu.py
PRECISION: fp32"""

import os

import torch
import torch.nn as nn

THREADS = max(1, min(4, os.cpu_count() or 1))


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.forward(torch.linspace(-1, 1, 64).reshape(2, 32))

    def forward(self, x):
        return torch.cat([part.clamp(min=0) * 2 for part in x.tensor_split(THREADS)])
