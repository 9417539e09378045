"""WHAT: the factor after the ReLU is folded into weight and bias
REFERENCE: linear_relu.py
PRECISION: fp16"""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, features, width):
        super().__init__()
        linear = nn.Linear(features, width)
        self.register_buffer("half_weight", linear.weight.detach() * 0.5)
        self.register_buffer("half_bias", linear.bias.detach() * 0.5)

    def forward(self, x):
        product = torch.addmm(self.half_bias.float(), x.float(), self.half_weight.float().t())
        return torch.relu(product).to(x.dtype)
