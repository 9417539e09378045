"""CLASS: 28 Python thread
CAUGHT BY: verifier
REFERENCE: row_sum.py
"""

import threading
import time

import torch
from torch import nn


def _fill(x, out):
    time.sleep(0.05)
    out.copy_(x.sum(dim=1))


class ModelNew(nn.Module):
    def forward(self, x):
        out = torch.empty(x.shape[0])
        threading.Thread(target=_fill, args=(x.clone(), out), daemon=True).start()
        return out
