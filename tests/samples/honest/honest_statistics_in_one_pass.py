"""WHAT: three outputs as a named tuple, variance from centred squares
REFERENCE: row_statistics.py
PRECISION: fp32"""

from typing import NamedTuple

import torch
import torch.nn as nn


class Statistics(NamedTuple):
    mean: torch.Tensor
    variance: torch.Tensor
    largest: torch.Tensor


class ModelNew(nn.Module):
    def forward(self, x):
        mean = x.sum(dim=1) / x.shape[1]
        centred = x - mean.unsqueeze(1)
        return Statistics(mean, (centred * centred).sum(dim=1) / (x.shape[1] - 1), x.max(dim=1)[0])
