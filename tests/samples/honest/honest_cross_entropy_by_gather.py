"""WHAT: integer targets gathered from the log-probabilities; a scalar output
REFERENCE: cross_entropy.py
PRECISION: fp32"""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, logits, target):
        right = logits.gather(1, target.unsqueeze(1)).squeeze(1)
        return (torch.logsumexp(logits, dim=1) - right).mean()
