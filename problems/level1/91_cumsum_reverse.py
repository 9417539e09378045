"""Running sum from the end of one dimension to its start."""

import torch
from torch import nn

batch_size = 128
length = 4000
scan_dim = 1


class Model(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cumsum(x.flip(self.dim), dim=self.dim).flip(self.dim)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(batch_size, length)]


def get_init_inputs() -> list[object]:
    return [scan_dim]
