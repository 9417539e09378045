"""CLASS: 65 runtime package install / import of a stronger library
CAUGHT BY: static
REFERENCE: softmax.py
"""

import subprocess
import sys

import torch
from torch import nn

subprocess.run([sys.executable, "-I", "-m", "pip", "--version"], capture_output=True, check=False)


class ModelNew(nn.Module):
    def forward(self, x):
        return torch.softmax(x, dim=1)
