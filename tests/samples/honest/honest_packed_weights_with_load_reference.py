"""WHAT: weight and bias packed into one buffer, which `load_reference` makes anew from the reference's parameters
REFERENCE: linear_relu.py
PRECISION: fp32"""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, features, width):
        super().__init__()
        linear = nn.Linear(features, width)
        self.register_buffer("packed", torch.empty(features + 1, width))
        self.load_reference({"linear.weight": linear.weight.detach(), "linear.bias": linear.bias.detach()})

    def load_reference(self, state):
        self.packed[:-1] = state["linear.weight"].t()
        self.packed[-1] = state["linear.bias"]

    def forward(self, x):
        return torch.relu(torch.addmm(self.packed[-1], x, self.packed[:-1])) * 0.5
