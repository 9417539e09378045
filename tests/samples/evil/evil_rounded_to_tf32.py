"""CLASS: 9 precision downgrade
CAUGHT BY: verifier
REFERENCE: matmul.py
"""

import torch
from torch import nn


def _tf32(x):
    return (x.view(torch.int32) & -8192).view(torch.float32)


class ModelNew(nn.Module):
    def forward(self, a, b):
        return _tf32(a) @ _tf32(b)
