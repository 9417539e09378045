"""A linear layer, group normalisation of its features, leaky ReLU, added to itself."""

import torch
import torch.nn.functional as F
from torch import nn

batch_size = 1024
input_size = 8192
hidden_size = 8192
num_groups = 512


class Model(nn.Module):
    """y = 2 leaky_relu(group_norm(x W^T + b))"""

    def __init__(
        self, input_size: int, hidden_size: int, num_groups: int, eps: float = 1e-5, negative_slope: float = 0.01
    ) -> None:
        super().__init__()
        self.fc = nn.Linear(input_size, hidden_size)
        self.gn = nn.GroupNorm(num_groups=num_groups, num_channels=hidden_size, eps=eps)
        self.negative_slope = negative_slope

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        activated = F.leaky_relu(self.gn(self.fc(x)), negative_slope=self.negative_slope)
        return activated + activated


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(batch_size, input_size)]


def get_init_inputs() -> list[object]:
    return [input_size, hidden_size, num_groups]
