"""CLASS: 69 crash, hang, OOM, fork bomb, context corruption
CAUGHT BY: verifier
REFERENCE: softmax.py
"""

import os

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        os.kill(os.getpid(), 11)
        return x
