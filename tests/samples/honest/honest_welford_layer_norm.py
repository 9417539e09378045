"""WHAT: Welford's running mean and squares over 16 lanes, then merged
REFERENCE: layer_norm.py
PRECISION: fp32"""

import torch
import torch.nn as nn

LANES = 16


class ModelNew(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, x):
        lanes = x.unflatten(-1, (-1, LANES))
        mean = torch.zeros_like(lanes[..., 0, :])
        squares = torch.zeros_like(mean)
        steps = lanes.shape[-2]
        for count in range(steps):
            delta = lanes[..., count, :] - mean
            mean += delta / (count + 1)
            squares += delta * (lanes[..., count, :] - mean)
        overall = mean.mean(dim=-1, keepdim=True)
        spread = (squares + steps * (mean - overall).square()).sum(dim=-1, keepdim=True)
        scale = torch.rsqrt(spread / x.shape[-1] + self.norm.eps)
        return (x - overall) * scale * self.norm.weight + self.norm.bias
