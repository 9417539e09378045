"""WHAT: a product with a triangle of ones, in fp32
REFERENCE: cumsum.py
PRECISION: fp16"""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self._triangles = {}

    def forward(self, x):
        length = x.shape[1]
        if length not in self._triangles:
            self._triangles[length] = torch.ones(length, length, device=x.device, dtype=torch.float32).triu()
        return (x.float() @ self._triangles[length]).to(x.dtype)
