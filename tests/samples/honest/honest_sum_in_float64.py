"""WHAT: more exact than asked for; a scalar output
REFERENCE: total.py
PRECISION: fp32"""

import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, x):
        return x.double().square().sum().to(x.dtype)
