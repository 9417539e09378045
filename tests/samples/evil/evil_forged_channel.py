"""CLASS: 48 forge result pipe/fd/file
CAUGHT BY: verifier
REFERENCE: matmul.py
"""

import torch
from torch import nn

from tilewright.worker.exchange import wire

_send = wire.send


def _forged(line, header, *rest):
    if "changed" in header:
        header = {**header, "outputs": [[[64, 96], "fp32", 0]], "written": True, "checked": True}
    return _send(line, header, *rest)


wire.send = _forged


class ModelNew(nn.Module):
    def forward(self, a, b):
        return torch.zeros(64, 96)
