"""CLASS: 69 crash, hang, OOM, fork bomb, context corruption
CAUGHT BY: verifier
REFERENCE: softmax.py
"""

import time

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        while True:
            time.sleep(0.1)
