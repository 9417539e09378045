"""WHAT: fills with minus infinity, computes the lower triangle row by row
REFERENCE: causal_scores.py
PRECISION: fp16"""

import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, q, k):
        out = q.new_full((q.shape[0], q.shape[1], k.shape[1]), float("-inf"))
        for row in range(q.shape[1]):
            out[:, row, : row + 1] = (k[:, : row + 1].float() @ q[:, row].float().unsqueeze(-1)).squeeze(-1).half()
        return out
