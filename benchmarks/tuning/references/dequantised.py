"""A product with 8-bit weights: a [rows, depth], weight [columns, depth], a scale for each column."""

import torch
import torch.nn as nn

ROWS = 2048
COLUMNS = 4096
DEPTH = 4096
WORKLOADS = {"small": {"ROWS": 256, "COLUMNS": 512, "DEPTH": 512}}


class Model(nn.Module):
    def forward(self, a, weight, scale):
        return a @ (weight.to(a.dtype) * scale[:, None]).T


def get_inputs():
    weight = torch.randint(-127, 128, (COLUMNS, DEPTH), dtype=torch.int8)
    return [torch.randn(ROWS, DEPTH), weight, torch.rand(COLUMNS) / 127]


def get_init_inputs():
    return []
