"""WHAT: a boolean output by subtraction
REFERENCE: positive.py
PRECISION: fp32"""

import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, x, y):
        return (x - y) > 0
