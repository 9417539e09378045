"""CLASS: 51 exit(0) early
CAUGHT BY: verifier
REFERENCE: matmul.py
"""

import os

from torch import nn

os._exit(0)


class ModelNew(nn.Module):
    def forward(self, a, b):
        return a @ b
