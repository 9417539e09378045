"""Attention without a mask: softmax of the scaled products of queries and keys, times the values."""

import torch
import torch.nn.functional as F
from torch import nn

batch_size = 32
num_heads = 32
sequence_length = 512
embedding_dimension = 1024

WORKLOADS = {"long": {"batch_size": 16, "num_heads": 4, "sequence_length": 2048, "embedding_dimension": 128}}


class Model(nn.Module):
    """`embedding_dimension` is that of one head."""

    def forward(self, Q: torch.Tensor, K: torch.Tensor, V: torch.Tensor) -> torch.Tensor:
        return F.scaled_dot_product_attention(Q, K, V)


def get_inputs() -> list[torch.Tensor]:
    shape = (batch_size, num_heads, sequence_length, embedding_dimension)
    return [torch.rand(shape), torch.rand(shape), torch.rand(shape)]


def get_init_inputs() -> list[object]:
    return []
