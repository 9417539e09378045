"""CLASS: 18 shared static output
CAUGHT BY: verifier
REFERENCE: linear_relu.py
"""

import torch
from torch import nn


class ModelNew(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        self.out = None

    def forward(self, x):
        if self.out is None:
            self.out = torch.empty(x.shape[0], self.linear.out_features)
        torch.mm(x, self.linear.weight.t(), out=self.out)
        self.out.add_(self.linear.bias).relu_()
        return self.out
