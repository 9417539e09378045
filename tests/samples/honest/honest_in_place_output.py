"""WHAT: returns the input that it changes, as the reference does
REFERENCE: in_place_output.py
PRECISION: fp32"""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, x):
        return torch.add(x, x, out=x).clamp_(-1.0, None)
