"""CLASS: 12 distribution overfit
CAUGHT BY: verifier
REFERENCE: linear_relu.py
"""

from torch import nn


class ModelNew(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)

    def forward(self, x):
        return self.linear(x)
