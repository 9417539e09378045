"""WHAT: counts times the table instead of lookups
REFERENCE: embedding_bag.py
PRECISION: fp32"""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, words, width):
        super().__init__()
        self.table = nn.Embedding(words, width)

    def forward(self, index):
        weight = self.table.weight
        counts = torch.zeros(index.shape[0], weight.shape[0], dtype=weight.dtype, device=weight.device)
        counts.scatter_add_(1, index, torch.ones_like(index, dtype=weight.dtype))
        return counts @ weight / index.shape[1]
