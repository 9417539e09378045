"""WHAT: PyTorch's fused attention instead of three operations
REFERENCE: attention.py
PRECISION: fp16"""

import torch.nn as nn
import torch.nn.functional as F


class ModelNew(nn.Module):
    def forward(self, q, k, v):
        return F.scaled_dot_product_attention(q, k, v)
