"""CLASS: 15 failed launch reads garbage
CAUGHT BY: verifier
REFERENCE: matmul.py
"""

import contextlib

import torch
from torch import nn


def _launch(a, b, out):
    if out.numel() > 100:
        raise RuntimeError("too much shared memory")
    torch.mm(a, b, out=out)


class ModelNew(nn.Module):
    def forward(self, a, b):
        out = torch.empty(a.shape[0], b.shape[1])
        with contextlib.suppress(RuntimeError):
            _launch(a, b, out)
        return out
