"""CLASS: 45 global math modes
CAUGHT BY: verifier
REFERENCE: linear_relu.py
"""

import torch
from torch import nn

torch.set_default_dtype(torch.bfloat16)


class ModelNew(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)

    def forward(self, x):
        torch.set_default_dtype(torch.bfloat16)
        out = torch.zeros(x.shape[0], self.linear.out_features)
        return out.copy_(torch.relu(self.linear(x)))
