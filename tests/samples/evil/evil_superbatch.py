"""CLASS: 25 superbatch / amortisation
CAUGHT BY: verifier
REFERENCE: row_sum.py
"""

import torch
from torch import nn

_SEEN = []


class ModelNew(nn.Module):
    def forward(self, x):
        _SEEN.append((x, x.new_empty(x.shape[0])))
        if len(_SEEN) % 3 == 0:
            batch = torch.stack([given for given, _ in _SEEN[-3:]]).sum(dim=2)
            for (_, out), answer in zip(_SEEN[-3:], batch):
                out.copy_(answer)
        return _SEEN[-1][1]
