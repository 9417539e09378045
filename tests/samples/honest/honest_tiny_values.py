"""WHAT: outputs of 1e-9, multiplied in another order
REFERENCE: tiny_loss.py
PRECISION: fp32"""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, x, y):
        difference = torch.sub(x, y)
        return (difference * 1e-9) * difference
