"""WHAT: rows first, then columns
REFERENCE: max_pool.py
PRECISION: fp16"""

import torch.nn as nn
import torch.nn.functional as F


class ModelNew(nn.Module):
    def forward(self, x):
        rows = F.max_pool2d(x, (3, 1), stride=(2, 1), padding=(1, 0))
        return F.max_pool2d(rows, (1, 3), stride=(1, 2), padding=(0, 1))
