"""WHAT: minus infinity where the reference has it, by adding a mask
REFERENCE: causal_scores.py
PRECISION: fp32"""

import functools

import torch
import torch.nn as nn


@functools.lru_cache(maxsize=8)
def _later(rows: int, columns: int, device: torch.device) -> torch.Tensor:
    return torch.full((rows, columns), float("-inf"), device=device).triu_(1)


class ModelNew(nn.Module):
    def forward(self, q, k):
        return torch.bmm(q, k.mT).add_(_later(q.shape[1], k.shape[1], q.device))
