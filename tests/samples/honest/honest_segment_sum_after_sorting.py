"""WHAT: sorts by segment, adds each run in fp32
REFERENCE: segment_sum.py
PRECISION: fp16"""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, x, segment):
        rows = x.float()[torch.argsort(segment, stable=True)]
        counts = torch.bincount(segment, minlength=16).tolist()
        return torch.stack([run.sum(dim=0) for run in rows.split(counts)]).to(x.dtype)
