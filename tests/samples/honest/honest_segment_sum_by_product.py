"""WHAT: a product with the membership matrix
REFERENCE: segment_sum.py
PRECISION: fp32"""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, x, segment):
        member = segment.unsqueeze(0) == torch.arange(16, device=x.device).unsqueeze(1)
        return member.to(x.dtype) @ x
