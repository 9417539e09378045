"""A 4D tensor times a matrix along its last dimension; 32 x 16 x 32 x 256 in place of 8 x 256 x 512 x 256."""

import torch
import torch.nn as nn

batch_size = 32
i = 16
j = 32
l = 256  # noqa: E741
k = 768


class Model(nn.Module):
    def __init__(self):
        super().__init__()

    def forward(self, A: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
        return torch.einsum("bijl,lk->bijk", A, B)


def get_inputs():
    return [torch.randn(batch_size, i, j, l), torch.randn(l, k)]


def get_init_inputs():
    return []
