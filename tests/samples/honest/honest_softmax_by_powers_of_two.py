"""WHAT: exp2 with log2(e) folded into the input, in fp32
REFERENCE: softmax.py
PRECISION: fp16"""

import math

import torch
import torch.nn as nn

LOG2E = math.log2(math.e)


class ModelNew(nn.Module):
    def forward(self, x):
        wide = x.float() * LOG2E
        powers = torch.exp2(wide - wide.amax(dim=1, keepdim=True))
        return (powers * (1.0 / powers.sum(dim=1, keepdim=True))).to(x.dtype)
