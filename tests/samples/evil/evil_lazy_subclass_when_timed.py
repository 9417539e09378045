"""CLASS: 26 lazy tensor subclass
CAUGHT BY: verifier
REFERENCE: softmax.py
"""

import torch
from torch import nn


class _Later(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        now = [torch.softmax(a.as_subclass(torch.Tensor), dim=1) if isinstance(a, cls) else a for a in args]
        return function(*now, **(kwargs or {}))


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return x.as_subclass(_Later) if self.calls > 4 else torch.softmax(x, dim=1)
