"""A running sum along the rows that counts only the elements a mask selects."""

import torch
from torch import nn

batch_size = 128
dim = 4000


class Model(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return torch.cumsum(x * mask, dim=self.dim)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(batch_size, dim), torch.randint(0, 2, (batch_size, dim)).bool()]


def get_init_inputs() -> list[object]:
    return [1]
