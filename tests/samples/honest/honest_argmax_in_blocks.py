"""WHAT: integer output: maximum of blocks, then the block's index
REFERENCE: argmax.py
PRECISION: fp32"""

import torch.nn as nn

BLOCK = 20


class ModelNew(nn.Module):
    def forward(self, x):
        values, index = x.unflatten(1, (-1, BLOCK)).max(dim=2)
        block = values.argmax(dim=1, keepdim=True)
        return (index.gather(1, block) + block * BLOCK).squeeze(1)
