"""Mean hinge loss with one target (+1 or -1) a column; 8192 x 8192 in place of 32768 x 32768."""

import torch
import torch.nn as nn

batch_size = 8192
input_shape = (8192,)


class Model(nn.Module):
    def __init__(self):
        super().__init__()

    def forward(self, predictions: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return torch.mean(torch.clamp(1 - predictions * targets, min=0))


def get_inputs():
    return [torch.randn(batch_size, *input_shape), torch.randint(0, 2, input_shape).float() * 2 - 1]


def get_init_inputs():
    return []
