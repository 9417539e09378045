"""A linear layer, group normalisation, a clamp."""

import torch
from torch import nn

batch_size = 1024
in_features = 2048
out_features = 2048
num_groups = 16
hardtanh_min = -2.0
hardtanh_max = 2.0


class Model(nn.Module):
    def __init__(
        self, in_features: int, out_features: int, num_groups: int, hardtanh_min: float, hardtanh_max: float
    ) -> None:
        super().__init__()
        self.gemm = nn.Linear(in_features, out_features)
        self.group_norm = nn.GroupNorm(num_groups, out_features)
        self.hardtanh = nn.Hardtanh(min_val=hardtanh_min, max_val=hardtanh_max)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.hardtanh(self.group_norm(self.gemm(x)))


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(batch_size, in_features)]


def get_init_inputs() -> list[object]:
    return [in_features, out_features, num_groups, hardtanh_min, hardtanh_max]
