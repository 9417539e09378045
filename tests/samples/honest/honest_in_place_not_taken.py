"""WHAT: leaves an input alone which the reference changes
REFERENCE: in_place.py
PRECISION: fp16"""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, x, y):
        return torch.add(y, x, alpha=2)
