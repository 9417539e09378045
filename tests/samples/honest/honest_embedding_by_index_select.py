"""WHAT: rows selected by int32 indices and added in fp32
REFERENCE: embedding_bag.py
PRECISION: fp16"""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, words, width):
        super().__init__()
        self.rows = nn.Parameter(nn.Embedding(words, width).weight.detach())

    def forward(self, index):
        taken = self.rows.index_select(0, index.flatten().to(torch.int32))
        total = taken.view(*index.shape, -1).sum(dim=1, dtype=torch.float32)
        return (total * (1.0 / index.shape[1])).to(self.rows.dtype)
