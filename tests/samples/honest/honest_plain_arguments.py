"""WHAT: arguments of forward that are no tensors
REFERENCE: scaled_by.py
PRECISION: fp32"""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, x: torch.Tensor, scale: float, dim: int = 1) -> torch.Tensor:
        total = torch.linalg.vector_norm(x, ord=1, dim=dim, keepdim=True)
        return x * (scale / total)
