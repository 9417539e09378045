"""Kullback-Leibler divergence of two distributions a row, averaged over the rows."""

import torch
import torch.nn.functional as F
from torch import nn

batch_size = 128
dim = 4096


class Model(nn.Module):
    def forward(self, predictions: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return F.kl_div(torch.log(predictions), targets, reduction="batchmean")


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(batch_size, dim).softmax(dim=-1), torch.randn(batch_size, dim).softmax(dim=-1)]


def get_init_inputs() -> list[object]:
    return []
