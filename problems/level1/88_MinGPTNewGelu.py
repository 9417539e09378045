"""GELU in the tanh form that GPT and BERT implementations use."""

import math

import torch
import torch.nn as nn

batch_size = 2000
dim = 2000


class Model(nn.Module):
    """y = 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))"""

    def __init__(self):
        super().__init__()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = math.sqrt(2.0 / math.pi) * (x + 0.044715 * torch.pow(x, 3.0))
        return 0.5 * x * (1.0 + torch.tanh(inner))


def get_inputs():
    return [torch.randn(batch_size, dim)]


def get_init_inputs():
    return []
