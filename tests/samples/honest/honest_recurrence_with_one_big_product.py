"""WHAT: the inputs' product for all steps at once; the last state is a copy
REFERENCE: recurrent.py
PRECISION: fp32"""

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
            states[:, t].add_(states[:, t - 1] @ self.onward.weight.t()).tanh_()
        return states, states[:, -1].clone()
