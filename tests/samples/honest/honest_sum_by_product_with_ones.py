"""WHAT: a matrix-vector product with ones in fp32, rounded once
REFERENCE: long_sum.py
PRECISION: fp16"""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, x):
        return torch.mv(x.float(), torch.ones(x.shape[1], device=x.device, dtype=torch.float32)).to(x.dtype)
