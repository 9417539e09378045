"""WHAT: the second output is a view of the first
REFERENCE: recurrent.py
PRECISION: fp16"""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, features, hidden):
        super().__init__()
        self.into = nn.Linear(features, hidden)
        self.onward = nn.Linear(hidden, hidden, bias=False)

    def forward(self, x):
        states = self.into(x)
        states[:, 0].tanh_()
        for t in range(1, x.shape[1]):
            states[:, t] = torch.tanh(states[:, t] + self.onward(states[:, t - 1]))
        return states, states[:, -1]
