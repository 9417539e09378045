"""Writes as much as it can to its output and errors, without an end."""

import os

from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        while True:
            os.write(1, b"flood " * 10000)
            os.write(2, b"flood " * 10000)
