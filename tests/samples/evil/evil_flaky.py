"""CLASS: 57 races / flakiness
CAUGHT BY: verifier
REFERENCE: softmax.py
"""

import random

import torch
from torch import nn


class ModelNew(nn.Module):
    def forward(self, x):
        y = torch.softmax(x, dim=1)
        if random.random() < 0.6:
            y[random.randrange(64), random.randrange(512)] = 0.25
        return y
