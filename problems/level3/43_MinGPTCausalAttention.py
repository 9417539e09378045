"""Causal self-attention of a small GPT, with the projections before and after it."""

import math

import torch
from torch import nn

batch_size = 128
max_seqlen = 1024
seq_len = 512
n_embd = 768
n_head = 8
attn_pdrop = 0.0
resid_pdrop = 0.0


class Model(nn.Module):
    """No token sees those behind it. Both dropouts are given, and zero."""

    def __init__(self, n_embd: int, n_head: int, attn_pdrop: float, resid_pdrop: float, max_seqlen: int) -> None:
        super().__init__()
        self.c_attn = nn.Linear(n_embd, 3 * n_embd)
        self.c_proj = nn.Linear(n_embd, n_embd)
        self.attn_dropout = nn.Dropout(attn_pdrop)
        self.resid_dropout = nn.Dropout(resid_pdrop)
        self.n_head = n_head

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, tokens, width = x.shape
        heads = self.c_attn(x).view(batch, tokens, 3, self.n_head, width // self.n_head)
        q, k, v = heads.permute(2, 0, 3, 1, 4)
        later = torch.ones(tokens, tokens, dtype=torch.bool, device=x.device).triu(1)
        scores = (q @ k.transpose(-2, -1)) / math.sqrt(k.shape[-1])
        weights = self.attn_dropout(scores.masked_fill(later, float("-inf")).softmax(dim=-1))
        merged = (weights @ v).transpose(1, 2).reshape(batch, tokens, width)
        return self.resid_dropout(self.c_proj(merged))


def get_inputs() -> list[torch.Tensor]:
    return [torch.randn(batch_size, seq_len, n_embd)]


def get_init_inputs() -> list[object]:
    return [n_embd, n_head, attn_pdrop, resid_pdrop, max_seqlen]
