"""A linear layer, a sigmoid, the sum of each row."""

import torch
from torch import nn

batch_size = 1024
input_size = 2048
hidden_size = 4096


class Model(nn.Module):
    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(input_size, hidden_size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sum(torch.sigmoid(self.linear(x)), dim=1, keepdim=True)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(batch_size, input_size)]


def get_init_inputs() -> list[object]:
    return [input_size, hidden_size]
