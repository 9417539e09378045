"""Attention forward without a mask; tensors are [batch, heads, tokens, dim]."""

import torch
import torch.nn as nn
import torch.nn.functional as F

BATCH = 4
HEADS = 16
TOKENS = 2048
DIM = 128
WORKLOADS = {"small": {"BATCH": 1, "HEADS": 2, "TOKENS": 512}}


class Model(nn.Module):
    def forward(self, q, k, v):
        return F.scaled_dot_product_attention(q, k, v)


def get_inputs():
    return [torch.randn(BATCH, HEADS, TOKENS, DIM) for _ in range(3)]


def get_init_inputs():
    return []
