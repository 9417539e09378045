"""CLASS: 30 late device writer
CAUGHT BY: verifier
REFERENCE: softmax.py
NEEDS: cuda
"""

import torch
from torch import nn

_SIDE = torch.cuda.Stream()


class ModelNew(nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        _SIDE.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(_SIDE):
            torch.cuda._sleep(20_000_000)
            out.copy_(torch.softmax(x, dim=1))
        return out
