"""Causal self-attention with ReLU in place of softmax; batch 32 of 256 tokens, 6 heads of 64."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

batch_size = 32
max_seqlen = 1024
n_embd = 384
n_head = 6
tokens = 256


class Model(nn.Module):
    def __init__(self, n_embd: int, n_head: int, max_seqlen: int):
        super().__init__()
        self.c_attn = nn.Linear(n_embd, 3 * n_embd)
        mask = torch.tril(torch.ones(max_seqlen, max_seqlen))
        self.register_buffer("bias", mask.view(1, 1, max_seqlen, max_seqlen))
        self.n_head = n_head
        self.n_embd = n_embd

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        B, L, C = x.size()
        q, k, v = self.c_attn(x).split(self.n_embd, dim=2)
        k = k.view(B, L, self.n_head, C // self.n_head).transpose(1, 2)
        q = q.view(B, L, self.n_head, C // self.n_head).transpose(1, 2)
        v = v.view(B, L, self.n_head, C // self.n_head).transpose(1, 2)
        att = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
        att = att.masked_fill(self.bias[:, :, :L, :L] == 0, float("-inf"))
        att = F.relu(att)
        y = att @ v
        return y.transpose(1, 2).contiguous().view(B, L, C)


def get_inputs():
    return [torch.randn(batch_size, tokens, n_embd)]


def get_init_inputs():
    return [n_embd, n_head, max_seqlen]
