"""CLASS: 51 exit(0) early
CAUGHT BY: verifier
REFERENCE: softmax.py
"""

import sys

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        sys.exit(0)
