"""WHAT: an object with __call__ that is no nn.Module
REFERENCE: scaled_relu.py
PRECISION: fp32"""

import torch


class ModelNew:
    def __call__(self, x):
        return torch.where(x > 0, x + x, torch.zeros((), dtype=x.dtype, device=x.device))
