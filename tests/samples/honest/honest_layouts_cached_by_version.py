"""WHAT: transposed weights made at the first call and again whenever the version of a weight has changed
REFERENCE: mlp.py
PRECISION: fp16"""

import torch.nn as nn
import torch.nn.functional as F


class ModelNew(nn.Module):
    def __init__(self, features, hidden):
        super().__init__()
        self.up = nn.Linear(features, hidden)
        self.down = nn.Linear(hidden, features)
        self._layouts = {}

    def _transposed(self, name):
        weight = getattr(self, name).weight
        version, layout = self._layouts.get(name, (None, None))
        if version != weight._version:
            layout = weight.detach().t().contiguous()
            self._layouts[name] = weight._version, layout
        return layout

    def forward(self, x):
        hidden = F.gelu((x.float() @ self._transposed("up").float() + self.up.bias.float()).to(x.dtype))
        return (hidden.float() @ self._transposed("down").float() + self.down.bias.float()).to(x.dtype)
