"""WHAT: an optional import in try/except, with the result the same either way
REFERENCE: matmul.py
PRECISION: fp32"""

import torch
import torch.nn as nn

try:
    import tilelang

    VERSION = tilelang.__version__
except ImportError:
    tilelang, VERSION = None, "none"


class ModelNew(nn.Module):
    def forward(self, a, b):
        return torch.einsum("ik,kj->ij", a, b)
