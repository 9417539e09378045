"""WHAT: returns a list where the reference returns a tuple
REFERENCE: qkv.py
PRECISION: fp32"""

import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.parts = nn.ModuleList([nn.Linear(width, width) for _ in range(3)])

    def forward(self, x):
        return [part(x) for part in self.parts]
