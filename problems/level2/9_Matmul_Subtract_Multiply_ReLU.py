"""Linear layer, then minus a constant, times a constant, ReLU."""

import torch
from torch import nn

batch_size = 1024
in_features = 4096
out_features = 2048
subtract_value = 2.0
multiply_value = 1.5


class Model(nn.Module):
    def __init__(
        self, in_features: int, out_features: int, subtract_value: float, multiply_value: float
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.subtract_value = subtract_value
        self.multiply_value = multiply_value

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.linear(x)
        y = (y - self.subtract_value) * self.multiply_value
        return torch.relu(y)


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(batch_size, in_features)]


def get_init_inputs() -> list[object]:
    return [in_features, out_features, subtract_value, multiply_value]
