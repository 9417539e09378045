"""A linear layer, group normalisation, the minimum of each row, plus a bias for every channel.

The bias of shape (1, C, 1, 1) broadcasts the result to (1, C, batch, 1), as in KernelBench. 1024 features in 32 groups
in place of 8192 in 512; batch 512 in place of 1024.
"""

import torch
import torch.nn as nn

batch_size = 512
in_features = 1024
out_features = 1024
num_groups = 32
bias_shape = (1, out_features, 1, 1)


class Model(nn.Module):
    def __init__(self, in_features: int, out_features: int, num_groups: int, bias_shape: tuple[int, ...]):
        super().__init__()
        self.gemm = nn.Linear(in_features, out_features)
        self.group_norm = nn.GroupNorm(num_groups, out_features)
        self.bias = nn.Parameter(torch.randn(bias_shape))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.gemm(x)
        x = self.group_norm(x)
        x = torch.min(x, dim=1, keepdim=True)[0]
        return x + self.bias


def get_inputs():
    return [torch.randn(batch_size, in_features)]


def get_init_inputs():
    return [in_features, out_features, num_groups, bias_shape]
