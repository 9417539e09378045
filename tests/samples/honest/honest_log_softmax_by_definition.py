"""WHAT: x minus the shifted log-sum-exp
REFERENCE: log_softmax.py
PRECISION: fp32"""

import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, x):
        shifted = x - x.max(dim=-1, keepdim=True).values
        return shifted - shifted.exp().sum(dim=-1, keepdim=True).log()
