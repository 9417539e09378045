"""CLASS: 22 phase switch by call count
CAUGHT BY: verifier
REFERENCE: softmax.py
"""

import torch
from torch import nn

_STATE = {"calls": 0}


class ModelNew(nn.Module):
    def forward(self, x):
        _STATE["calls"] += 1
        if _STATE["calls"] <= 8:
            _STATE["answer"] = torch.softmax(x, dim=1)
        return _STATE["answer"].clone()
