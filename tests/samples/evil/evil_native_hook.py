"""CLASS: 38 native hooks
CAUGHT BY: static
REFERENCE: softmax.py
"""

import ctypes

import torch
from torch import nn

_LIBC = ctypes.CDLL(None)
_HOOK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda number: 0)
_LIBC.signal(31, _HOOK)


class ModelNew(nn.Module):
    def forward(self, x):
        return torch.zeros_like(x)
