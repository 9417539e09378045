"""CLASS: 29 side stream
CAUGHT BY: verifier
REFERENCE: matmul.py
NEEDS: cuda
"""

import torch
from torch import nn

_SIDE = torch.cuda.Stream()


class ModelNew(nn.Module):
    def forward(self, a, b):
        out = torch.empty(a.shape[0], b.shape[1], device=a.device)
        with torch.cuda.stream(_SIDE):
            torch.mm(a, b, out=out)
        return out
