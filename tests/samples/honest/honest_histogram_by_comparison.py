"""WHAT: integer inputs and outputs, compared with every bin in chunks
REFERENCE: histogram.py
PRECISION: fp32"""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, index):
        bins = torch.arange(32, device=index.device)
        return sum((chunk.unsqueeze(1) == bins).sum(dim=0) for chunk in index.split(512))
